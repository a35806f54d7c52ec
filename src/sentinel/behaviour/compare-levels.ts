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
import type { Counted, LevelEvidence } from "../evidence.ts";
import { countNovelty, countShare, type Population } from "../population/population.ts";
import type { LearnedHistory, LearnedSession } from "./learned-sessions.ts";
import { estimateNewness } from "./newness.ts";

/** Counts with fractions are stored as whole numbers of this part. */
export const countsInOne = 100;

const nothingCounted: Counted = { count: 0, all: 0 };

/** The value of a learned session; null: not known. Undefined: its build did not record it. */
export function readLearned(
  { context, family }: LearnedSession,
  level: Level,
): string | number | null | undefined {
  return level === "family" ? family : context[level];
}

interface LevelMatch {
  readonly evidence: LevelEvidence;
  /** The evidence if the value were new; undefined if it is, or if a confirmed session has it. */
  readonly ifNew?: LevelEvidence;
  /** The sessions that the next level is compared with. */
  readonly matching: readonly LearnedSession[];
}

/** A hierarchy, compared with the history. */
export interface ComparedHierarchy {
  readonly levels: readonly LevelEvidence[];
  /** The sessions that agree on all known levels. */
  readonly agreeing: readonly LearnedSession[];
  /** The same with what confirmed sessions know; absent if the others know no more. */
  readonly confirmed?: ComparedHierarchy;
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
  const majors = known.flatMap(({ context: { browser }, isOnProbation }) =>
    isOnProbation ? [] : (majorOf(browser) ?? []),
  );
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
  /** Sessions with a value on the level, and what they weigh together. */
  readonly all: number;
  readonly weight: number;
  readonly changes: { readonly observed: number; readonly expected: number };
  readonly novelty: Counted;
}

/** Adds up what the sessions say about a level, one by one: an assessment does this for a thousand values. */
export class LevelCount {
  readonly #isNetwork: boolean;
  readonly #level: Level;
  readonly #comparison: Comparison;
  readonly #values = new Set<string | number>();
  #before: string | number | undefined;
  #observed = 0;
  #expected = 0;
  #weight = 0;
  #all = 0;

  constructor(hierarchy: HierarchyName, level: Level, comparison: Comparison) {
    this.#isNetwork = hierarchy === "network";
    this.#level = level;
    this.#comparison = comparison;
  }

  /**
   * Besides the value, it counts how often the user was new on this level, and how often anybody would have been at
   * those times. Only the relation counts: a phone changes its address with every login, a house rarely.
   */
  add(session: LearnedSession, value: string | number): void {
    if (this.#all > 0) {
      const course = this.#isNetwork ? session.networkCourse : session.agentCourse;
      const weight = this.#isNetwork ? session.likeness : 1;
      const { population } = this.#comparison;
      const novelty =
        population === null ? nothingCounted : countNovelty(population, this.#level, course.bucket);
      this.#expected += weight * estimateNewness(this.#level, course, novelty);
      if (value !== this.#before && !this.#values.has(value)) this.#observed += weight;
    }
    if (value !== this.#before) this.#values.add(value);
    this.#before = value;
    this.#weight += session.weight;
    this.#all += 1;
  }

  get basis(): LevelBasis {
    const { learned, population } = this.#comparison;
    const { bucket } = this.#isNetwork ? learned.networkCourse : learned.agentCourse;
    return {
      values: this.#values,
      all: this.#all,
      weight: this.#weight,
      changes: {
        observed: Math.round(this.#observed * countsInOne),
        expected: Math.round(this.#expected * countsInOne),
      },
      novelty: countNovelty(population, this.#level, bucket),
    };
  }
}

function countValues(basis: LevelBasis, level: Level, { context, population }: Comparison) {
  return population === null
    ? nothingCounted
    : countShare(population, context, level, [...basis.values].map(String));
}

/** The evidence of a level if the value were known to these sessions. */
export function describeKnown(
  basis: LevelBasis,
  level: Level,
  matching: readonly LearnedSession[],
  value: string | number,
  comparison: Comparison,
): LevelEvidence {
  const { context, population } = comparison;
  const known = countValues(basis, level, comparison);
  return {
    level,
    seen: true,
    own: Math.min(1, sumWeights(matching) / basis.weight),
    population:
      population === null
        ? nothingCounted
        : countShare(population, context, level, [String(value)]),
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

/** The values of a level that sessions on probation prove, because several of them have the value. */
function findProven(
  agreeing: readonly LearnedSession[],
  level: Level,
): ReadonlySet<string | number> {
  const once = new Set<string | number>();
  const proven = new Set<string | number>();
  for (const session of agreeing) {
    const value = session.isOnProbation ? (readLearned(session, level) ?? null) : null;
    if (value === null) continue;
    if (once.has(value)) proven.add(value);
    once.add(value);
  }
  return proven;
}

const nothingProven: ReadonlySet<string | number> = new Set();

/** Undefined if the level cannot be compared. */
function compareLevel(
  hierarchy: HierarchyName,
  level: Level,
  agreeing: readonly LearnedSession[],
  comparison: Comparison,
): LevelMatch | undefined {
  const { context, learned } = comparison;
  const value = readLevel(context, level) ?? null;
  if (value === null) return undefined;
  const proven = learned.hasProbation ? findProven(agreeing, level) : nothingProven;
  const count = new LevelCount(hierarchy, level, comparison);
  const matching: LearnedSession[] = [];
  // What is on probation says nothing on this level, and may do so on a finer one, together with other sessions.
  const unproven: LearnedSession[] = [];
  // A build that did not record the level may have seen the value.
  let isUnrecorded = false;
  for (const session of agreeing) {
    const known = readLearned(session, level);
    if (known === undefined && level === "pool") isUnrecorded = true;
    if (known === undefined || known === null) continue;
    if (session.isOnProbation && !proven.has(known)) {
      if (known === value) unproven.push(session);
      continue;
    }
    count.add(session, known);
    if (known === value) matching.push(session);
  }
  const { basis } = count;
  const isSeen = matching.length > 0;
  if (basis.all === 0 || (!isSeen && isUnrecorded)) return undefined;
  const describeFresh = (others: readonly LearnedSession[]): LevelEvidence => {
    const step = findStep(level, context, others);
    return {
      ...describeNew(basis, level, comparison),
      ...(step === undefined ? {} : { step }),
    };
  };
  if (!isSeen) return { matching: unproven, evidence: describeFresh(agreeing) };
  const evidence = describeKnown(basis, level, matching, value, comparison);
  const all = [...matching, ...unproven];
  if (matching.some(({ isStrong }) => isStrong)) return { matching: all, evidence };
  const others = agreeing.filter((one) => !matching.includes(one));
  return { matching: all, evidence, ifNew: describeFresh(others) };
}

export function compareLevels(hierarchy: HierarchyName, comparison: Comparison): ComparedHierarchy {
  const levels: LevelEvidence[] = [];
  let confirmed: ComparedHierarchy | undefined;
  let agreeing = comparison.learned.sessions;
  for (const level of hierarchies[hierarchy]) {
    const match = compareLevel(hierarchy, level, agreeing, comparison);
    if (match === undefined) continue;
    const { evidence, ifNew, matching } = match;
    if (ifNew !== undefined) confirmed ??= { levels: [...levels, ifNew], agreeing };
    levels.push(evidence);
    if (!evidence.seen) break;
    agreeing = matching;
  }
  return { levels, agreeing, ...(confirmed === undefined ? {} : { confirmed }) };
}

/**
 * What the request says of the client besides, field by field. Languages, hints and fingerprint differ from browser to
 * browser, so they are compared among the sessions of the same browser on the same system. With another browser they
 * say nothing that the agent has not said.
 */
export function compareClient(comparison: Comparison): readonly LevelEvidence[] {
  const { sessions } = comparison.learned;
  const family = familyOf(comparison.context.browser);
  return clientLevels.flatMap((level) => {
    if (readLevel(comparison.context, level) === undefined) return [];
    const comparable =
      level === "timeZone"
        ? sessions
        : sessions.filter(({ likeness, family: known }) => likeness === 1 && known === family);
    return compareLevel("agent", level, comparable, comparison)?.evidence ?? [];
  });
}
