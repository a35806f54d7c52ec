/**
 * Log-odds of fraud from the comparison of a session with an identity's history (pure).
 *
 * The model knows a few kinds of attacker: one that knows nothing about the victim, one with an exit in the
 * victim's country, one that imitates network and agent, and so on. For each kind it computes a likelihood
 * ratio: how probable this session is for that attacker, over how probable it is for the user. The ratios are
 * averaged by how common the kinds are. Evidence against one kind therefore weakens everything else that
 * this kind would explain: a known agent does not fit an attacker that knows nothing.
 *
 * - A value that the history has: the share of the population that has it, over its share of the history,
 *   as in Freeman et al., NDSS 2016.
 * - A new value: how often attackers miss it, over how often a real login is new after as long a time and as
 *   many logins. That rate is an assumption, corrected by the population and then by the user's own history.
 *
 * Every contribution is bounded. Without a population the assumptions of weights.ts stand alone.
 */
import { agentLevels, clientLevels, type Level, networkLevels } from "../context.ts";
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

/** Log-odds. Each part is what it adds to the parts before it; their sum is the evidence of the behaviour. */
export interface BehaviourContributions {
  readonly network: number;
  readonly agent: number;
  readonly hour: number;
  readonly client: number;
}

type BehaviourPart = keyof BehaviourContributions;

type LogRatios = Readonly<Record<AttackerKind, number>>;

const nothingCounted = { count: 0, all: 0 };

function isNetworkLevel(level: Level): boolean {
  return networkLevels.some((name) => name === level);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

/** The assumed probability that a real login is new on this level, from the time and number of logins. */
function estimateNewness(level: Level, { logins, sinceLastMs }: BehaviourEvidence): number {
  const { immediate, longTerm, halfwayMs, fewLogins } = newness[level];
  const passed = 1 - 2 ** (-sinceLastMs / halfwayMs);
  const unchanged = 1 - (immediate + (longTerm - immediate) * passed);
  return 1 - (unchanged * logins) / (logins + fewLogins);
}

/** Blends an assumed share, which weighs as much as `weight` cases, with the counted cases. */
function blend(assumed: number, weight: number, { count, all }: Counted): number {
  return (weight * assumed + count) / (weight + all);
}

/**
 * Corrects the assumed rate by the population, and then by how often this user's sessions were new on this
 * level while they agreed on the coarser ones. A phone changes its address with every login, a house rarely.
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
  const ofPopulation = blend(estimateNewness(level, behaviour), trust.novelty, novelty);
  const { minNewness, maxNewness } = behaviourBounds;
  const weight = isNetworkLevel(level) ? trust.ownNovelty.network : trust.ownNovelty.agent;
  return clamp(blend(ofPopulation, weight, ownNovelty), minNewness, maxNewness);
}

/** The probability that a person of the population has the value or, if it is new, any known value. */
function estimateChance(level: Level, evidence?: LevelEvidence): number {
  const { assumed, max } = chance[level];
  return Math.min(max, blend(assumed, trust.shares, evidence?.population ?? nothingCounted));
}

/** The log of the likelihood ratio over one hierarchy, for one kind of attacker. */
function computeLogRatio(
  hierarchy: readonly Level[],
  compared: readonly LevelEvidence[],
  behaviour: BehaviourEvidence,
  kind: AttackerKind,
): number {
  let log = 0;
  // A level that cannot be compared counts with the probability that it agrees.
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
    stuffing: ratio("stuffing"),
    proxy: ratio("proxy"),
    targeted: ratio("targeted"),
    neighbour: ratio("neighbour"),
    housemate: ratio("housemate"),
    phisher: ratio("phisher"),
  };
}

/** The log of the likelihood ratio of all kinds together. */
function mixKinds(...parts: readonly LogRatios[]): number {
  const sum = attackerKinds.reduce((total, kind) => {
    const log = parts.reduce((added, part) => added + part[kind], 0);
    return total + attackers[kind].share * Math.exp(log);
  }, 0);
  return Math.log(sum);
}

/** A user keeps to the hours that the history shows. Of the attackers, only some kinds keep to them. */
function computeHourRatio(
  hour: BehaviourEvidence["hour"],
  logins: number,
  kind: AttackerKind,
): number {
  const own = (logins * hour.own + trust.hours * hour.population) / (logins + trust.hours);
  return attackers[kind].keepsHours ? 0 : Math.log(hour.population / own);
}

/** Each field is a hierarchy of one level. */
function computeClientRatio(behaviour: BehaviourEvidence, kind: AttackerKind): number {
  const { client = [] } = behaviour;
  return clientLevels.reduce(
    (sum, level) => sum + computeLogRatio([level], client, behaviour, kind),
    0,
  );
}

function computeRatios(
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[],
): Readonly<Record<BehaviourPart, LogRatios>> {
  const silent = mapKinds(() => 0);
  const part = (name: BehaviourPart, ratio: (kind: AttackerKind) => number) =>
    off.includes(name) ? silent : mapKinds(ratio);
  return {
    network: part("network", (kind) =>
      computeLogRatio(networkLevels, behaviour.network, behaviour, kind),
    ),
    agent: part("agent", (kind) => computeLogRatio(agentLevels, behaviour.agent, behaviour, kind)),
    hour: part("hour", (kind) => computeHourRatio(behaviour.hour, behaviour.logins, kind)),
    client: part("client", (kind) => computeClientRatio(behaviour, kind)),
  };
}

/** @param off parts that are left out */
export function computeContributions(
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[] = [],
): BehaviourContributions {
  const { network, agent, hour, client } = computeRatios(behaviour, off);
  const ofNetwork = mixKinds(network);
  const ofBoth = mixKinds(network, agent);
  const ofHabits = mixKinds(network, agent, hour);
  const ofAll = mixKinds(network, agent, hour, client);
  const { min, max, maxHour, minClient, maxClient } = behaviourBounds;
  return {
    network: clamp(ofNetwork, min, max),
    agent: clamp(ofBoth - ofNetwork, min, max),
    hour: clamp(ofHabits - ofBoth, -maxHour, maxHour),
    client: clamp(ofAll - ofHabits, minClient, maxClient),
  };
}

/**
 * How common each kind is among the attackers that would bring such a session; the sum is 1.
 * @param behaviour null without a history, which leaves the kinds as common as they are
 */
export function shareKinds(
  behaviour: BehaviourEvidence | null,
  off: readonly BehaviourPart[] = [],
): Readonly<Record<AttackerKind, number>> {
  const parts = behaviour === null ? [] : Object.values(computeRatios(behaviour, off));
  const all = mixKinds(...parts);
  return mapKinds((kind) => {
    const log = parts.reduce((added, part) => added + part[kind], 0);
    return attackers[kind].share * Math.exp(log - all);
  });
}
