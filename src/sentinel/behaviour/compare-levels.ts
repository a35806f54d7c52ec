/**
 * Compares a session with the learned ones level by level, from coarse to fine, each time among the sessions that
 * agree so far (pure). The comparison ends at the first level that is new: finer ones are new as well and say
 * nothing more. A level whose value is unknown is skipped.
 */
import {
  type Context,
  clientLevels,
  familyOf,
  type HierarchyName,
  hierarchies,
  type Level,
  readLevel,
} from "../context.ts";
import type { Counted, FinerLevel, LevelEvidence } from "../evidence.ts";
import { countBlock, countNovelty, countShare, type Population } from "../population/population.ts";
import { type Changes, countChanges } from "./changes.ts";
import { type LearnedHistory, type LearnedSession, readLearned } from "./learned-sessions.ts";
import { countsInOne } from "./likelihood.ts";

/** A value that only sessions on probation have is known when as many have it. */
const minOnProbation = 2;

/** Levels on which an attacker that imitates a user imitates what is usual. Of these, what is usual at present. */
const usualLevels: readonly Level[] = ["country", "asn", "pool", "prefix"];
const presentLevels: readonly Level[] = ["country", "asn"];

const nothingCounted: Counted = { count: 0, all: 0 };
const noChanges: Changes = { observed: 0, expected: 0 };

interface LevelMatch {
  readonly evidence: LevelEvidence;
  /** Whether a confirmed session has the value. */
  readonly isConfirmed: boolean;
  /** The sessions that the next level is compared with. */
  readonly matching: readonly LearnedSession[];
}

/** A hierarchy, compared with the history. */
export interface ComparedHierarchy {
  readonly levels: readonly LevelEvidence[];
  /** The levels below the first new one. */
  readonly finer: readonly FinerLevel[];
  /** How many known levels confirmed sessions know as well. */
  readonly confirmedLevels: number;
}

/** What all comparisons of one session have in common. */
export interface Comparison {
  readonly context: Context;
  readonly learned: LearnedHistory;
  readonly population: Population | null;
}

function majorOf(browser: string | null): number | undefined {
  const digits = /\d+$/.exec(browser ?? "")?.[0];
  return digits === undefined ? undefined : Number(digits);
}

/** Whether a new version of a known browser is above all known ones, or not. */
function findStep(
  level: Level,
  context: Context,
  known: readonly LearnedSession[],
): "newer" | "older" | undefined {
  if (level !== "browser") return undefined;
  const major = majorOf(context.browser);
  let highest: number | undefined;
  for (const { context: session, isOnProbation } of known) {
    if (isOnProbation || session.browser === context.browser) continue;
    highest = Math.max(highest ?? 0, majorOf(session.browser) ?? 0);
  }
  if (major === undefined || highest === undefined || highest === 0) return undefined;
  return major > highest ? "newer" : "older";
}

function sumWeights(sessions: readonly LearnedSession[]): number {
  let sum = 0;
  for (const { weight } of sessions) sum += weight;
  return sum;
}

/** What the sessions that agree so far say about a level. */
interface LevelKnowledge {
  /** Those with the value of the session. */
  readonly matching: readonly LearnedSession[];
  readonly onProbation: readonly LearnedSession[];
  /** What the sessions with each value weigh together, to find what is usual. */
  readonly weights: ReadonlyMap<string | number, number>;
  /** Sessions with a value on the level, and what they weigh together. */
  readonly all: number;
  readonly weight: number;
  /** Some session has a value on the level, even if it is on probation. */
  readonly isRecorded: boolean;
  /** A build that did not record the level may have seen the value. */
  readonly isUnrecorded: boolean;
}

function collectKnowledge(
  level: Level,
  value: string | number,
  agreeing: readonly LearnedSession[],
): LevelKnowledge {
  const matching: LearnedSession[] = [];
  const onProbation: LearnedSession[] = [];
  const weights = new Map<string | number, number>();
  const isPresent = presentLevels.includes(level);
  let [all, weight, isRecorded, isUnrecorded] = [0, 0, false, false];
  // Sessions with the same value often follow each other.
  let before: string | number | undefined;
  let sum = 0;
  for (const session of agreeing) {
    const known = readLearned(session, level);
    if (known === undefined || known === null) {
      isUnrecorded ||= known === undefined && level === "pool";
      continue;
    }
    isRecorded = true;
    if (session.isOnProbation) {
      if (known === value) onProbation.push(session);
      continue;
    }
    all += 1;
    weight += session.weight;
    if (known !== before) {
      if (before !== undefined) weights.set(before, (weights.get(before) ?? 0) + sum);
      [before, sum] = [known, 0];
    }
    sum += isPresent ? session.presentWeight : session.weight;
    if (known === value) matching.push(session);
  }
  if (before !== undefined) weights.set(before, (weights.get(before) ?? 0) + sum);
  return { matching, onProbation, weights, all, weight, isRecorded, isUnrecorded };
}

function describeChanges({ observed, expected }: Changes) {
  return {
    observed: Math.round(observed * countsInOne),
    expected: Math.round(expected * countsInOne),
  };
}

function countNoveltyOf(
  hierarchy: HierarchyName,
  level: Level,
  { learned, population }: Comparison,
): Counted {
  const { bucket } = hierarchy === "network" ? learned.networkCourse : learned.agentCourse;
  return countNovelty(population, level, bucket);
}

/**
 * How usual a value is beside the value of an average session, at most 1. It is absent on the levels on which an attacker
 * copies what it has seen of the victim.
 */
function findUsual(
  level: Level,
  value: string | number,
  { weights }: LevelKnowledge,
): number | undefined {
  if (!usualLevels.includes(level)) return undefined;
  let [sum, squares] = [0, 0];
  for (const weight of weights.values()) {
    sum += weight;
    squares += weight * weight;
  }
  const usual = ((weights.get(value) ?? 0) * sum) / squares;
  return usual < 1 ? Math.round(usual * countsInOne) / countsInOne : undefined;
}

/** Undefined if the level cannot be compared. */
function compareLevel(
  hierarchy: HierarchyName,
  level: Level,
  agreeing: readonly LearnedSession[],
  comparison: Comparison,
): LevelMatch | undefined {
  const { context, population } = comparison;
  const value = readLevel(context, level) ?? null;
  if (value === null) return undefined;
  const known = collectKnowledge(level, value, agreeing);
  const { weights, all, onProbation } = known;
  const isProven = onProbation.length >= minOnProbation;
  const isSeen = known.matching.length > 0 || isProven;
  if (!isSeen && (!known.isRecorded || known.isUnrecorded)) return undefined;
  const proven = isProven ? sumWeights(onProbation) : 0;
  const countValues = (some: readonly (string | number)[]) =>
    population === null ? nothingCounted : countShare(population, context, level, some.map(String));
  const ofKnown = countValues([...weights.keys()]);
  const own = (sumWeights(known.matching) + proven) / (known.weight + proven);
  const usual = isSeen ? findUsual(level, value, known) : undefined;
  const block = isSeen ? undefined : countBlock(population, context, level);
  const isConfirmed = isProven || known.matching.some(({ isStrong }) => isStrong);
  // A value that only weakly confirmed sessions have is compared as a new one, too.
  const step = isSeen && isConfirmed ? undefined : findStep(level, context, agreeing);
  return {
    matching: [...known.matching, ...onProbation],
    isConfirmed,
    evidence: {
      level,
      novelty: countNoveltyOf(hierarchy, level, comparison),
      seen: isSeen,
      own: isSeen ? Math.min(1, own) : 0,
      population: isSeen ? countValues([value]) : ofKnown,
      ...(isSeen && ofKnown.all > 0 ? { known: ofKnown } : {}),
      ownNovelty: { count: Math.max(0, weights.size - 1), all: Math.max(0, all - 1) },
      ...(step === undefined ? {} : { step }),
      ...(usual === undefined ? {} : { usual }),
      ...(block === undefined ? {} : { block }),
    },
  };
}

/** Adds how restless the user is. What is known in everything needs it not: it is the user, however restless. */
function addChanges(
  hierarchy: HierarchyName,
  levels: readonly LevelEvidence[],
  confirmedLevels: number,
  comparison: Comparison,
): ComparedHierarchy {
  const { context, learned, population } = comparison;
  const isNew = levels.at(-1)?.seen === false;
  if (!isNew && confirmedLevels === levels.length) return { levels, finer: [], confirmedLevels };
  const all: readonly Level[] = hierarchies[hierarchy];
  const counted = countChanges(hierarchy, all, learned.sessions, population);
  const changesOf = (level: Level) => describeChanges(counted[all.indexOf(level)] ?? noChanges);
  const last = levels.at(-1)?.level;
  const finer = all.filter(
    (level, depth) =>
      isNew &&
      last !== undefined &&
      depth > all.indexOf(last) &&
      (readLevel(context, level) ?? null) !== null,
  );
  return {
    levels: levels.map((one) => ({ ...one, changes: changesOf(one.level) })),
    finer: finer.map((level) => ({
      level,
      changes: changesOf(level),
      novelty: countNoveltyOf(hierarchy, level, comparison),
    })),
    confirmedLevels,
  };
}

export function compareLevels(hierarchy: HierarchyName, comparison: Comparison): ComparedHierarchy {
  const found: LevelEvidence[] = [];
  let confirmedLevels = 0;
  let agreeing = comparison.learned.sessions;
  for (const level of hierarchies[hierarchy]) {
    const match = compareLevel(hierarchy, level, agreeing, comparison);
    if (match === undefined) continue;
    found.push(match.evidence);
    if (!match.evidence.seen) break;
    if (match.isConfirmed) confirmedLevels = found.length;
    agreeing = match.matching;
  }
  return addChanges(hierarchy, found, confirmedLevels, comparison);
}

/**
 * What the request says of the client besides, field by field. Languages, hints and fingerprint differ from browser to
 * browser, so they are compared among the sessions of the same browser on the same system. With another browser they
 * say nothing that the agent has not said.
 */
export function compareClient(comparison: Comparison): readonly LevelEvidence[] {
  const { learned, population } = comparison;
  const { sessions } = learned;
  const family = familyOf(comparison.context.browser);
  return clientLevels.flatMap((level) => {
    if (readLevel(comparison.context, level) === undefined) return [];
    const comparable =
      level === "timeZone"
        ? sessions
        : sessions.filter(({ likeness, family: known }) => likeness === 1 && known === family);
    const [changes = noChanges] = countChanges("agent", [level], comparable, population);
    const match = compareLevel("agent", level, comparable, comparison);
    return match === undefined ? [] : { ...match.evidence, changes: describeChanges(changes) };
  });
}
