/**
 * Compares a session with the identity's learned history and with the tenant's population (pure). The result is
 * plain numbers, which are stored as evidence; attacker-model.ts turns them into log-odds. Without sessions to
 * compare with there is no result.
 */
import { type Context, familyOf } from "../context.ts";
import type { BehaviourEvidence, Counted, SessionEvidence } from "../evidence.ts";
import type { History, KnownSession } from "../history.ts";
import type { Population } from "../population/population.ts";
import { settledAfterMs } from "../weights.ts";
import { type ComparedHierarchy, compareClient, compareLevels } from "./compare-levels.ts";
import { computeOwnHour, computePopulationHour } from "./hours.ts";
import { type LearnedSession, type PlacedCourse, weighHistory } from "./learned-sessions.ts";
import { countsInOne } from "./likelihood.ts";

function countSessions(
  sessions: readonly LearnedSession[],
  is: (session: LearnedSession) => boolean,
): Counted {
  let count = 0;
  for (const session of sessions) if (is(session)) count += 1;
  return { count, all: sessions.length };
}

function storeCourse({ logins, sinceMs, bucket }: PlacedCourse) {
  return { logins: Math.round(logins * countsInOne), sinceMs, bucket };
}

function isConfirmed({ levels, confirmedLevels }: ComparedHierarchy): boolean {
  return levels.filter(({ seen }) => seen).length === confirmedLevels;
}

/**
 * @param history the sessions that are learned from, up to `now`, the oldest first
 * @param now Unix ms
 * @returns null if there is nothing to compare with
 */
export function compareWithHistory(
  history: History,
  context: Context,
  population: Population | null,
  now: number,
): BehaviourEvidence | null {
  const learned = weighHistory(history, context, now);
  const settled = learned.sessions.filter(({ isOnProbation }) => !isOnProbation);
  const last = settled.at(-1);
  if (last === undefined) return null;
  const comparison = { context, learned, population };
  const network = compareLevels("network", comparison);
  const agent = compareLevels("agent", comparison);
  const isNewSomewhere = network.finer.length + agent.finer.length > 0;
  const client = compareClient(comparison);
  const { count: weak } = countSessions(settled, ({ isStrong }) => !isStrong);
  const isMixed = weak > 0 && weak < settled.length;
  return {
    logins: settled.length,
    sinceLastMs: now - last.at,
    network: network.levels,
    agent: agent.levels,
    hour: {
      own: computeOwnHour(settled, now),
      population: computePopulationHour(population, now),
    },
    courses: {
      network: storeCourse(learned.networkCourse),
      agent: storeCourse(learned.agentCourse),
    },
    exits: countSessions(settled, ({ context: { placeHidden } }) => placeHidden),
    relays: countSessions(
      settled,
      ({ context: { placeHidden, prefix } }) => placeHidden && prefix === null,
    ),
    ...(weak === 0 ? {} : { weak }),
    ...(isMixed && !(isConfirmed(network) && isConfirmed(agent))
      ? { confirmedLevels: { network: network.confirmedLevels, agent: agent.confirmedLevels } }
      : {}),
    ...(isNewSomewhere ? { finer: { network: network.finer, agent: agent.finer } } : {}),
    ...(client.length === 0 ? {} : { client }),
  };
}

/**
 * Compares with what was known a week ago, if that knew neither the network nor the browser of the session: the history
 * may have come closer since, step by step. Nothing if the browser was confirmed since, which then is a new device.
 */
export function compareWithSettled(
  history: History,
  context: Context,
  population: Population | null,
  now: number,
): Pick<SessionEvidence, "settled" | "networksSince"> {
  const firstYoung = history.findIndex(({ at }) => at > now - settledAfterMs);
  if (firstYoung <= 0) return {};
  const hasBrowser = ({ context: known }: KnownSession) =>
    known.device === context.device &&
    known.os === context.os &&
    familyOf(known.browser) === familyOf(context.browser);
  const settled = history.slice(0, firstYoung);
  const young = history.slice(firstYoung);
  const proven = young.filter(({ verdict }) => verdict !== null);
  const isNetworkKnown = settled.some(({ context: { asn } }) => asn === context.asn);
  if (isNetworkKnown || settled.some(hasBrowser) || proven.some(hasBrowser)) return {};
  const behaviour = compareWithHistory(settled, context, population, now);
  if (behaviour === null) return {};
  const old = new Set(settled.map((one) => one.context.asn));
  const since = new Set(young.map((one) => one.context.asn).filter((asn) => !old.has(asn)));
  return { settled: behaviour, networksSince: since.size };
}
