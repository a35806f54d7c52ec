/**
 * Compares a session with the identity's confirmed history and with the tenant's population (pure). The
 * result is plain numbers, which are stored as evidence; attacker-model.ts turns them into log-odds.
 *
 * What the request says of the client besides is compared field by field.
 *
 * Network and agent are compared level by level, from coarse to fine, each time among the sessions that agree
 * so far. The comparison ends at the first level that is new: finer ones are new as well and say nothing
 * more. A level whose value is unknown is skipped. Without confirmed sessions there is no result.
 */
import {
  agentLevels,
  type Context,
  clientLevels,
  type Level,
  levelValueOf,
  networkLevels,
} from "../context.ts";
import type { BehaviourEvidence, LevelEvidence } from "../evidence.ts";
import type { History } from "../history.ts";
import {
  bucketOf,
  countNovelty,
  countShare,
  hoursInWeek,
  type Population,
  weekHourOf,
} from "../population/population.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** After this time a session counts half: people change their networks and devices. */
const halfLifeMs = 60 * dayMs;
/** Standard deviation of the bell curve with which a login counts for the hours around it. */
const hourSpreadHours = 2;
/** Weight of a login on another day of the week; one on the same day has weight 1. */
const otherDayShare = 0.6;
/** Logins, spread evenly over the week, that are added to those of the population. */
const assumedLogins = 200;

interface WeightedSession {
  readonly context: Context;
  readonly at: number;
  readonly weight: number;
}

function totalWeightOf(sessions: readonly WeightedSession[]): number {
  return sessions.reduce((sum, { weight }) => sum + weight, 0);
}

function compareLevel(
  level: Level,
  sessions: readonly WeightedSession[],
  context: Context,
  population: Population | null,
  bucket: number,
): { evidence: LevelEvidence; matching: readonly WeightedSession[] } {
  const value = levelValueOf(context, level);
  const valuesKnown = new Set(
    sessions.flatMap((known) => levelValueOf(known.context, level) ?? []),
  );
  const matching = sessions.filter((known) => levelValueOf(known.context, level) === value);
  const seen = value !== null && matching.length > 0;
  return {
    matching,
    evidence: {
      level,
      seen,
      own: seen ? totalWeightOf(matching) / totalWeightOf(sessions) : 0,
      population: countShare(population, context, level, seen ? [value] : [...valuesKnown]),
      // Each value was new once, except the very first, which had nothing to be compared with.
      ownNovelty: { count: valuesKnown.size - 1, all: sessions.length - 1 },
      novelty: countNovelty(population, level, bucket),
    },
  };
}

function compareLevels(
  hierarchy: readonly Level[],
  sessions: readonly WeightedSession[],
  context: Context,
  population: Population | null,
  bucket: number,
): LevelEvidence[] {
  const found: LevelEvidence[] = [];
  let agreeing = sessions;
  for (const level of hierarchy) {
    if (levelValueOf(context, level) === null) continue;
    const comparable = agreeing.filter((known) => levelValueOf(known.context, level) !== null);
    if (comparable.length === 0) continue;
    const { evidence, matching } = compareLevel(level, comparable, context, population, bucket);
    found.push(evidence);
    if (!evidence.seen) break;
    agreeing = matching;
  }
  return found;
}

/**
 * Languages, hints and fingerprint differ from browser to browser, so they are compared among the sessions of the same
 * browser on the same system. With another browser they say nothing that the agent has not said.
 */
function compareClient(
  sessions: readonly WeightedSession[],
  context: Context,
  population: Population | null,
  bucket: number,
): LevelEvidence[] {
  const ofBrowser = (["device", "os", "family"] as const).reduce(
    (alike, level) =>
      alike.filter((known) => levelValueOf(known.context, level) === levelValueOf(context, level)),
    sessions,
  );
  return clientLevels.flatMap((level) => {
    const comparable = level === "timeZone" ? sessions : ofBrowser;
    return compareLevels([level], comparable, context, population, bucket);
  });
}

/** Hours between two hours of the day, 0 to 12. */
function computeHoursBetween(left: number, right: number): number {
  const apart = Math.abs(left - right) % 24;
  return Math.min(apart, 24 - apart);
}

function weighHours(hours: number): number {
  return Math.exp(-0.5 * (hours / hourSpreadHours) ** 2);
}

/** Weights are divided by these means, so that an evenly spread history gives 1. */
const meanHourWeight =
  Array.from({ length: 24 }, (_, hour) => weighHours(computeHoursBetween(0, hour))).reduce(
    (a, b) => a + b,
  ) / 24;
const meanDayWeight = (1 + 6 * otherDayShare) / 7;

function computeOwnHour(sessions: readonly WeightedSession[], now: number): number {
  const hour = weekHourOf(now);
  const density = sessions.reduce((sum, { at, weight }) => {
    const other = weekHourOf(at);
    const sameDay = Math.floor(hour / 24) === Math.floor(other / 24);
    return (
      sum + weight * weighHours(computeHoursBetween(hour, other)) * (sameDay ? 1 : otherDayShare)
    );
  }, 0);
  return density / (totalWeightOf(sessions) * meanHourWeight * meanDayWeight);
}

function computePopulationHour(population: Population | null, now: number): number {
  if (population === null) return 1;
  const hour = weekHourOf(now);
  const around = [-1, 0, 1].map((step) => (hour + step + hoursInWeek) % hoursInWeek);
  const counted = around.reduce((sum, index) => sum + (population.hours[index] ?? 0), 0);
  const expected = (around.length * population.logins) / hoursInWeek;
  const trust = (around.length * assumedLogins) / hoursInWeek;
  return (counted + trust) / (expected + trust);
}

/**
 * @param history confirmed sessions up to `now`, the oldest first
 * @param now Unix ms
 * @returns null if the history is empty
 */
export function compareWithHistory(
  history: History,
  context: Context,
  population: Population | null,
  now: number,
): BehaviourEvidence | null {
  const last = history.at(-1);
  if (last === undefined) return null;
  const sessions = history.map(({ context: known, at }): WeightedSession => {
    return { context: known, at, weight: 2 ** (-(now - at) / halfLifeMs) };
  });
  const sinceLastMs = now - last.at;
  const bucket = bucketOf(sinceLastMs, history.length);
  const client = compareClient(sessions, context, population, bucket);
  return {
    logins: history.length,
    sinceLastMs,
    network: compareLevels(networkLevels, sessions, context, population, bucket),
    agent: compareLevels(agentLevels, sessions, context, population, bucket),
    hour: {
      own: computeOwnHour(sessions, now),
      population: computePopulationHour(population, now),
    },
    ...(client.length === 0 ? {} : { client }),
  };
}
