/**
 * From the comparison of a session with an identity's history to log-odds of fraud (pure).
 *
 * Who takes an account over is one of a few kinds of attacker: one who knows nothing of the victim,
 * one who picked an exit in the victim's country, one who imitates network and agent. For each kind
 * the ratio "this session, were it theirs" to "were it the user's own" is taken down each hierarchy,
 * and the kinds are mixed by how common they are. Evidence that speaks against one kind (a known
 * agent does not fit an ignorant attacker) thereby takes weight from all that kind would explain.
 *
 * The ratio of a value the history knows compares the share of the population with that of the user,
 * as Freeman et al. (NDSS 2016) do; that of a new value is how rarely a real login is new after that
 * time and that many logins. Weights stand in weights.ts.
 */
import { agentLevels, type Level, networkLevels } from "../context.ts";
import type { BehaviourEvidence, Counted, LevelEvidence } from "../evidence.ts";
import {
  type AttackerKind,
  attackerKinds,
  attackers,
  behaviourBounds,
  chance,
  newness,
  trust,
} from "../weights.ts";

/** Log-odds, each given what the ones before it said; together the evidence of the behaviour. */
export interface BehaviourContributions {
  readonly network: number;
  readonly agent: number;
  readonly hour: number;
}

type LogRatios = Readonly<Record<AttackerKind, number>>;

const nothingCounted = { count: 0, all: 0 };

function isNetworkLevel(level: Level): boolean {
  return networkLevels.some((name) => name === level);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** How likely a real login is new on this level, by its age and number alone. */
function estimateNewness(level: Level, { logins, sinceLastMs }: BehaviourEvidence): number {
  const { immediate: atOnce, longTerm: inTheEnd, halfwayMs, fewLogins } = newness[level];
  const passed = 1 - 2 ** (-sinceLastMs / halfwayMs);
  const unchanged = 1 - (atOnce + (inTheEnd - atOnce) * passed);
  return 1 - (unchanged * logins) / (logins + fewLogins);
}

/** A share that is assumed, corrected by what was counted. */
function blend(assumed: number, weight: number, { count, all }: Counted): number {
  return (weight * assumed + count) / (weight + all);
}

/**
 * The same, corrected by what was seen in the population, and then by how restless this user is in
 * the same place: a phone changes its address with every login, a house hardly ever.
 */
function correctNewness(
  level: Level,
  behaviour: BehaviourEvidence,
  compared?: LevelEvidence,
): number {
  const { novelty, ownNovelty } = compared ?? {
    novelty: nothingCounted,
    ownNovelty: nothingCounted,
  };
  const usual = blend(estimateNewness(level, behaviour), trust.novelty, novelty);
  const { minNewness, maxNewness } = behaviourBounds;
  const weight = isNetworkLevel(level) ? trust.ownNovelty.network : trust.ownNovelty.agent;
  return clamp(blend(usual, weight, ownNovelty), minNewness, maxNewness);
}

/** How likely somebody drawn from the population has the value, or one of those seen. */
function estimateChance(level: Level, evidence?: LevelEvidence): number {
  const { assumed: usual, max: most } = chance[level];
  return Math.min(most, blend(usual, trust.shares, evidence?.population ?? nothingCounted));
}

/** Down one hierarchy, for one kind of attacker. */
function computeLogRatio(
  hierarchy: readonly Level[],
  compared: readonly LevelEvidence[],
  behaviour: BehaviourEvidence,
  kind: AttackerKind,
): number {
  let log = 0;
  // Levels that cannot be compared are as likely to agree as they usually are.
  let skippedHit = 1;
  let skippedKnown = 1;
  for (const level of hierarchy) {
    const evidence = compared.find((candidate) => candidate.level === level);
    const imitates = attackers[kind].imitates[level];
    const known = skippedKnown * (1 - correctNewness(level, behaviour, evidence));
    const share = estimateChance(level, evidence);
    if (evidence === undefined) {
      skippedHit *= imitates + (1 - imitates) * share;
      skippedKnown = known;
      continue;
    }
    if (!evidence.seen) {
      const hit = skippedHit * (imitates + (1 - imitates) * share);
      return log + Math.log((1 - hit) / (1 - known));
    }
    const commonness = Math.min(behaviourBounds.maxCommonness, share / evidence.own);
    log += Math.log((skippedHit * (imitates + (1 - imitates) * commonness)) / known);
    skippedHit = 1;
    skippedKnown = 1;
  }
  return log;
}

function mapKinds(ratio: (kind: AttackerKind) => number): LogRatios {
  return {
    ignorant: ratio("ignorant"),
    sameCountry: ratio("sameCountry"),
    imitator: ratio("imitator"),
    neighbour: ratio("neighbour"),
    housemate: ratio("housemate"),
  };
}

/** Log of the ratio of the whole mixture to the user. */
function mixKinds(...parts: readonly LogRatios[]): number {
  const sum = attackerKinds.reduce((total, kind) => {
    const log = parts.reduce((added, part) => added + part[kind], 0);
    return total + attackers[kind].share * Math.exp(log);
  }, 0);
  return Math.log(sum);
}

/** A user keeps to own hours as far as the history shows; only who imitates them does too. */
function computeHourRatio(
  hour: BehaviourEvidence["hour"],
  logins: number,
  kind: AttackerKind,
): number {
  const own = (logins * hour.own + trust.hours * hour.population) / (logins + trust.hours);
  return attackers[kind].keepsHours ? 0 : Math.log(hour.population / own);
}

/** @param off parts that are not asked */
export function computeContributions(
  behaviour: BehaviourEvidence,
  off: readonly (keyof BehaviourContributions)[] = [],
): BehaviourContributions {
  const silent = mapKinds(() => 0);
  const part = (name: keyof BehaviourContributions, ratio: (kind: AttackerKind) => number) =>
    off.includes(name) ? silent : mapKinds(ratio);
  const network = part("network", (kind) =>
    computeLogRatio(networkLevels, behaviour.network, behaviour, kind),
  );
  const agent = part("agent", (kind) =>
    computeLogRatio(agentLevels, behaviour.agent, behaviour, kind),
  );
  const hour = part("hour", (kind) => computeHourRatio(behaviour.hour, behaviour.logins, kind));
  const ofNetwork = mixKinds(network);
  const ofBoth = mixKinds(network, agent);
  const ofAll = mixKinds(network, agent, hour);
  const { min: least, max: most, maxHour: maxHour } = behaviourBounds;
  return {
    network: clamp(ofNetwork, least, most),
    agent: clamp(ofBoth - ofNetwork, least, most),
    hour: clamp(ofAll - ofBoth, -maxHour, maxHour),
  };
}
