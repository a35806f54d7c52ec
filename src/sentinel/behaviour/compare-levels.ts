/**
 * Compares a session with the learned ones level by level, from coarse to fine, each time among the sessions that
 * agree so far (pure). The comparison ends at the first level that is new: finer ones are new as well and say
 * nothing more. A level whose value is unknown is skipped.
 */
import {
  type Context,
  type HierarchyName,
  hierarchies,
  type Level,
  readLevel,
} from "../context.ts";
import type { Counted, LevelEvidence } from "../evidence.ts";
import { countNovelty, countShare, type Population } from "../population/population.ts";
import type { LearnedHistory, LearnedSession } from "./learned-sessions.ts";
import { estimateNewness } from "./newness.ts";

/** A value that only sessions on probation have is known when as many have it. */
const minOnProbation = 2;

/** Counts with fractions are stored as whole numbers of this part. */
export const countsInOne = 100;

interface LevelMatch {
  readonly evidence: LevelEvidence;
  /** The sessions that the next level is compared with. */
  readonly matching: readonly LearnedSession[];
}

/** A hierarchy, compared with the history. */
export interface ComparedHierarchy {
  readonly levels: readonly LevelEvidence[];
  /** The sessions that agree on all known levels. */
  readonly agreeing: readonly LearnedSession[];
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
  const majors = known.flatMap(({ context: { browser } }) => majorOf(browser) ?? []);
  if (major === undefined || majors.length === 0) return undefined;
  return major > Math.max(...majors) ? "newer" : "older";
}

function sumWeights(sessions: readonly LearnedSession[]): number {
  let sum = 0;
  for (const { weight } of sessions) sum += weight;
  return sum;
}

/** What a level says of the sessions that agree so far, whatever value the new session has. */
export interface LevelBasis {
  readonly values: ReadonlySet<string | number>;
  readonly all: number;
  readonly weight: number;
  readonly changes: { readonly observed: number; readonly expected: number };
  readonly novelty: Counted;
}

/**
 * Besides the values: how often the user was new on this level, and how often anybody would have been at those times.
 * Only the relation counts: a phone changes its address with every login, a house rarely.
 * @param sessions all have a value on the level
 */
export function describeLevel(
  hierarchy: HierarchyName,
  level: Level,
  sessions: readonly LearnedSession[],
  { learned, population }: Comparison,
): LevelBasis {
  const values = new Set<string | number>();
  let observed = 0;
  let expected = 0;
  for (const { context, likeness, networkCourse, agentCourse } of sessions) {
    const value = readLevel(context, level) ?? "";
    if (values.size > 0) {
      const isNetwork = hierarchy === "network";
      const course = isNetwork ? networkCourse : agentCourse;
      const weight = isNetwork ? likeness : 1;
      const novelty = countNovelty(population, level, course.bucket);
      expected += weight * estimateNewness(level, course, novelty);
      if (!values.has(value)) observed += weight;
    }
    values.add(value);
  }
  const { bucket } = hierarchy === "network" ? learned.networkCourse : learned.agentCourse;
  return {
    values,
    all: sessions.length,
    weight: sumWeights(sessions),
    changes: {
      observed: Math.round(observed * countsInOne),
      expected: Math.round(expected * countsInOne),
    },
    novelty: countNovelty(population, level, bucket),
  };
}

function countValues(basis: LevelBasis, level: Level, { context, population }: Comparison) {
  return countShare(population, context, level, [...basis.values].map(String));
}

/** The evidence of a level if the value were known to these sessions. */
export function describeKnown(
  basis: LevelBasis,
  level: Level,
  matching: readonly LearnedSession[],
  value: string | number,
  comparison: Comparison,
): LevelEvidence {
  const known = countValues(basis, level, comparison);
  return {
    level,
    seen: true,
    own: sumWeights(matching) / basis.weight,
    population: countShare(comparison.population, comparison.context, level, [String(value)]),
    ownNovelty: { count: basis.values.size - 1, all: basis.all - 1 },
    novelty: basis.novelty,
    changes: basis.changes,
    ...(known.all > 0 ? { known } : {}),
  };
}

/** The evidence of a level if the value were new. */
export function describeNew(
  basis: LevelBasis,
  level: Level,
  comparison: Comparison,
): LevelEvidence {
  return {
    level,
    seen: false,
    own: 0,
    population: countValues(basis, level, comparison),
    ownNovelty: { count: basis.values.size - 1, all: basis.all - 1 },
    novelty: basis.novelty,
    changes: basis.changes,
  };
}

/** Undefined if the level cannot be compared. */
function compareLevel(
  hierarchy: HierarchyName,
  level: Level,
  agreeing: readonly LearnedSession[],
  comparison: Comparison,
): LevelMatch | undefined {
  const { context } = comparison;
  const value = readLevel(context, level) ?? null;
  if (value === null) return undefined;
  const valueOf = (session: LearnedSession) => readLevel(session.context, level);
  const matching = agreeing.filter((session) => valueOf(session) === value);
  const onProbation = matching.filter((session) => session.isOnProbation);
  const isProven = onProbation.length >= minOnProbation;
  const counts = (session: LearnedSession) => !session.isOnProbation || isProven;
  const counted = matching.filter(counts);
  const settled = agreeing.filter(
    (session) => (valueOf(session) ?? null) !== null && counts(session),
  );
  // A build that did not record the level may have seen the value.
  const isUnrecorded = agreeing.some((session) => valueOf(session) === undefined);
  if (settled.length === 0 || (counted.length === 0 && isUnrecorded)) return undefined;
  const basis = describeLevel(hierarchy, level, settled, comparison);
  if (counted.length > 0) {
    return { matching, evidence: describeKnown(basis, level, counted, value, comparison) };
  }
  const step = findStep(level, context, settled);
  return {
    matching,
    evidence: {
      ...describeNew(basis, level, comparison),
      ...(step === undefined ? {} : { step }),
      ...(onProbation.length > 0 ? { onProbation: true } : {}),
    },
  };
}

export function compareLevels(hierarchy: HierarchyName, comparison: Comparison): ComparedHierarchy {
  const levels: LevelEvidence[] = [];
  let agreeing = comparison.learned.sessions;
  for (const level of hierarchies[hierarchy]) {
    const match = compareLevel(hierarchy, level, agreeing, comparison);
    if (match === undefined) continue;
    levels.push(match.evidence);
    if (!match.evidence.seen) break;
    agreeing = match.matching;
  }
  return { levels, agreeing };
}
