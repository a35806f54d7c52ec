/**
 * Log-odds of fraud from the comparison of a session with an identity's history (pure).
 *
 * The model knows a few kinds of attacker (weights.ts): one that knows nothing about the victim, one with an exit in
 * the victim's country, one that relays the victim's own browser, and so on. For each kind it computes a likelihood
 * ratio: how probable this session is for that attacker, over how probable it is for the user. The ratios are
 * averaged by how common the kinds are. Evidence against one kind therefore weakens everything else that
 * this kind would explain: a known agent does not fit an attacker that knows nothing.
 *
 * - A value that the history has: the share of the population that has it, over its share of the history,
 *   as in Freeman et al., NDSS 2016.
 * - A new value: how often attackers miss it, over how often a real login of this user is new (newness.ts).
 *
 * order.ts keeps a farther session at least as risky as any nearer one.
 */
import type { HierarchyName } from "../context.ts";
import type { BehaviourEvidence, LevelEvidence } from "../evidence.ts";
import { mapKinds } from "../kinds.ts";
import { roundContribution } from "../reason.ts";
import {
  type AttackerKind,
  attackerKinds,
  attackers,
  behaviourBounds,
  calibration,
  trust,
  weakShare,
} from "../weights.ts";
import {
  computeRatiosOfLevel,
  countsInOne,
  findPlaces,
  neutralRatios,
  type Places,
  type Ratios,
} from "./likelihood.ts";
import type { Course } from "./newness.ts";
import { mixInOrder, mixKinds, ratiosOf, shares } from "./order.ts";

/** Log-odds. Each part is what it adds to the parts before it; their sum is the evidence of the behaviour. */
export interface BehaviourContributions {
  readonly network: number;
  readonly agent: number;
  readonly hour: number;
  readonly client: number;
}

export type BehaviourPart = keyof BehaviourContributions;

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

/** What was known before the session. Older builds counted all platforms together. */
export function courseOf(hierarchy: HierarchyName, behaviour: BehaviourEvidence): Course {
  const course = behaviour.courses?.[hierarchy];
  if (course === undefined) return { logins: behaviour.logins, sinceMs: behaviour.sinceLastMs };
  return { logins: course.logins / countsInOne, sinceMs: course.sinceMs };
}

function isKnown(compared: readonly LevelEvidence[]): boolean {
  return compared.every(({ seen }) => seen);
}

/** What is left out says nothing. */
const noPlaces: Places = { all: [{ attackers: neutralRatios, user: 1 }], own: 0 };

export function findPlacesIn(
  hierarchy: HierarchyName,
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[],
): Places {
  if (off.includes(hierarchy)) return noPlaces;
  const { [hierarchy]: compared, finer } = behaviour;
  return findPlaces(hierarchy, compared, finer?.[hierarchy] ?? [], courseOf(hierarchy, behaviour));
}

/** Sessions that were learned from; a weakly confirmed one counts as a part of one. */
export function countTrusted({ logins, weak = 0 }: BehaviourEvidence): number {
  return logins - weak * (1 - weakShare);
}

/** A user keeps to the hours that the history shows. Of the attackers, only some kinds keep to them. */
function computeHourRatios(behaviour: BehaviourEvidence): Ratios {
  const { hour } = behaviour;
  const trusted = countTrusted(behaviour);
  const own = (trusted * hour.own + trust.hours * hour.population) / (trusted + trust.hours);
  return attackerKinds.map((kind) => (attackers[kind].keepsHours ? 1 : hour.population / own));
}

/** Whether so few logins were confirmed that the history is not enough for a denial. */
function hasFewConfirmed({ logins, weak = 0 }: BehaviourEvidence): boolean {
  return logins - weak < behaviourBounds.few.minLogins;
}

/** The most that the history may say against a session. */
export function maxOfHistory(behaviour: BehaviourEvidence | null): number {
  const isFew = behaviour === null || hasFewConfirmed(behaviour);
  return isFew ? behaviourBounds.few.maxOfAll : Number.POSITIVE_INFINITY;
}

/** Whether nothing about the agent is new but its exact text, which says little by itself. */
function isAgentNearlyKnown({ agent }: BehaviourEvidence): boolean {
  return agent.every(({ level, seen }) => seen || level === "agent");
}

/** Corrects what the model states by what turned out to be true, between the points of weights.ts. */
function calibrate(evidence: number): number {
  const next = calibration.findIndex(([stated]) => evidence < stated);
  const [from, to] = [calibration[next - 1], calibration[next]];
  if (from === undefined || to === undefined) return evidence;
  return from[1] + ((evidence - from[0]) * (to[1] - from[1])) / (to[0] - from[0]);
}

/**
 * A known agent in a new network is what travel and a new provider look like, so it approaches a challenge and does
 * not reach it. The order of such sessions remains, for thresholds by kind of attacker.
 */
function softenKnownAgent(evidence: number): number {
  const { from, max } = behaviourBounds.knownAgent;
  if (evidence <= from) return evidence;
  return max - (max - from) * Math.exp((from - evidence) / (max - from));
}

/** Each field of the client is a hierarchy of one level. */
function computeClientRatios(behaviour: BehaviourEvidence): Ratios {
  const { client = [] } = behaviour;
  const course = courseOf("agent", behaviour);
  return client.reduce<Ratios>((ratios, evidence) => {
    const ofLevel = computeRatiosOfLevel("agent", evidence, course);
    return ratios.map((ratio, index) => ratio * (ofLevel[index] ?? 1));
  }, neutralRatios);
}

/** The bounds of what network and agent say together. */
export function findBounds(behaviour: BehaviourEvidence): {
  readonly min: number;
  readonly max: number;
} {
  const { min, minOnlyWeak, max, few } = behaviourBounds;
  const { network, agent, confirmedLevels, weak = 0, logins } = behaviour;
  const isFew = hasFewConfirmed(behaviour) || isAgentNearlyKnown(behaviour);
  const isAllKnown = isKnown(network) && isKnown(agent);
  return {
    // Beside confirmed sessions, what only weak ones know is no evidence for the user.
    min: weak === logins ? minOnlyWeak : confirmedLevels === undefined ? min : 0,
    max: isAllKnown ? 0 : isFew ? few.max : max,
  };
}

export function hasKnownAgent(
  { agent }: BehaviourEvidence,
  off: readonly BehaviourPart[],
): boolean {
  return agent.length > 0 && !off.includes("agent") && isKnown(agent);
}

/** The evidence of network and agent together, and that of the network alone. */
export interface WeighedHabits {
  /** The comparison from which the evidence follows (see `weighConfirmed`). */
  readonly compared: BehaviourEvidence;
  readonly ofBoth: number;
  readonly ofNetwork: number;
}

function weighHabits(behaviour: BehaviourEvidence, off: readonly BehaviourPart[]): WeighedHabits {
  const network = findPlacesIn("network", behaviour, off);
  const agent = findPlacesIn("agent", behaviour, off);
  const { min, max } = findBounds(behaviour);
  const isCompared = (hierarchy: HierarchyName) =>
    behaviour[hierarchy].length > 0 && !off.includes(hierarchy);
  const stated = Math.log(mixInOrder(network, agent));
  const isCalibrated = isCompared("network") && isCompared("agent");
  const calibrated = isCalibrated ? calibrate(stated) : stated;
  const isSoftened = hasKnownAgent(behaviour, off);
  // Rounded here, so that the sum of the parts keeps the order.
  const ofBoth = roundContribution(
    clamp(isSoftened ? softenKnownAgent(calibrated) : calibrated, min, max),
  );
  const ofNetwork = isCompared("agent")
    ? roundContribution(clamp(Math.log(mixKinds(ratiosOf(network), neutralRatios)), min, max))
    : ofBoth;
  return { compared: behaviour, ofBoth, ofNetwork };
}

/** The session as confirmed sessions know it: the first value that they do not know is new. */
function keepConfirmed(behaviour: BehaviourEvidence): BehaviourEvidence {
  const { confirmedLevels, finer, ...others } = behaviour;
  const keep = (hierarchy: HierarchyName) => {
    const compared = behaviour[hierarchy];
    const confirmed = confirmedLevels?.[hierarchy] ?? compared.length;
    const next = compared[confirmed];
    const below = finer?.[hierarchy] ?? [];
    if (next?.seen !== true) return { compared, below };
    return {
      compared: [
        ...compared.slice(0, confirmed),
        { ...next, seen: false, population: next.known ?? next.population },
      ],
      below: [...compared.slice(confirmed + 1), ...below],
    };
  };
  const [network, agent] = [keep("network"), keep("agent")];
  return {
    ...others,
    network: network.compared,
    agent: agent.compared,
    finer: { network: network.below, agent: agent.below },
  };
}

/**
 * What only weakly confirmed sessions know is no evidence for the user, but none against the user either: the session
 * is at most as risky as if they did not know it.
 */
export function weighConfirmed(
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[],
): WeighedHabits {
  const own = weighHabits(behaviour, off);
  if (behaviour.confirmedLevels === undefined) return own;
  const confirmed = weighHabits(keepConfirmed(behaviour), off);
  return confirmed.ofBoth < own.ofBoth ? confirmed : own;
}

/** @param off parts that are left out */
export function computeContributions(
  behaviour: BehaviourEvidence,
  off: readonly BehaviourPart[] = [],
): BehaviourContributions {
  const { ofBoth, ofNetwork } = weighConfirmed(behaviour, off);
  const network = ratiosOf(findPlacesIn("network", behaviour, off));
  const agent = ratiosOf(findPlacesIn("agent", behaviour, off));
  const { minClient, maxClient, knownAgent } = behaviourBounds;
  const most = maxOfHistory(behaviour);
  const hour = off.includes("hour") ? neutralRatios : computeHourRatios(behaviour);
  const maxHour = hasKnownAgent(behaviour, off)
    ? Math.min(behaviourBounds.hour.max, Math.max(0, knownAgent.max - ofBoth))
    : behaviourBounds.hour.max;
  const ofHour = clamp(
    Math.log(mixKinds(neutralRatios, neutralRatios, hour)),
    behaviourBounds.hour.min,
    Math.min(maxHour, most - ofBoth),
  );
  const client = off.includes("client") ? neutralRatios : computeClientRatios(behaviour);
  const ofClient = Math.log(mixKinds(network, agent, client) / mixKinds(network, agent));
  return {
    network: ofNetwork,
    agent: ofBoth - ofNetwork,
    hour: ofHour,
    client: clamp(ofClient, minClient, Math.min(maxClient, most - ofBoth - ofHour)),
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
  if (behaviour === null) return mapKinds((kind) => attackers[kind].share);
  const network = ratiosOf(findPlacesIn("network", behaviour, off));
  const agent = ratiosOf(findPlacesIn("agent", behaviour, off));
  const hour = off.includes("hour") ? neutralRatios : computeHourRatios(behaviour);
  const client = off.includes("client") ? neutralRatios : computeClientRatios(behaviour);
  const parts = [shares, network, agent, hour, client];
  const ratioOf = (index: number) =>
    parts.reduce((product, ratios) => product * (ratios[index] ?? 1), 1);
  const all = shares.reduce((sum, _share, index) => sum + ratioOf(index), 0);
  return mapKinds((kind) => ratioOf(attackerKinds.indexOf(kind)) / all);
}
