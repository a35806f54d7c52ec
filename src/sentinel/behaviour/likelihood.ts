/**
 * The likelihood ratios of one hierarchy (pure): how probable what is found is for each kind of attacker, over how
 * probable it is for the user.
 */
import { type HierarchyName, hierarchies, type Level } from "../context.ts";
import type { Counted, FinerLevel, LevelEvidence } from "../evidence.ts";
import {
  type AttackerKind,
  attackerKinds,
  attackers,
  behaviourBounds,
  chance,
  trust,
  versionSteps,
} from "../weights.ts";
import { type Course, estimateNewness } from "./newness.ts";

/** In the order of `attackerKinds`. */
export type Ratios = readonly number[];

export const neutralRatios: Ratios = attackerKinds.map(() => 1);

/** Counts with fractions are stored as whole numbers of this part. */
export const countsInOne = 100;

const nothingCounted: Counted = { count: 0, all: 0 };

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

/** Blends an assumed share, which weighs as much as `weight` cases, with the counted cases. */
function blend(assumed: number, weight: number, { count, all }: Counted): number {
  return (weight * assumed + count) / (weight + all);
}

/** How much more often than others the user was new on a level, up to now. */
function relateChanges(
  hierarchy: HierarchyName,
  { changes, ownNovelty }: FinerLevel & Partial<LevelEvidence>,
  usual: number,
): number {
  const { count = 0, all = 0 } = ownNovelty ?? {};
  const observed = changes === undefined ? count : changes.observed / countsInOne;
  const expected = changes === undefined ? all * usual : changes.expected / countsInOne;
  const weight = trust.changes[hierarchy];
  return (weight + observed) / (weight + expected);
}

/** How often users are new in the session's block, beside everywhere. */
function relateToBlock({ block }: Partial<LevelEvidence>): number {
  if (block === undefined || block.everywhere.count === 0) return 1;
  const average = block.everywhere.count / block.everywhere.all;
  const { minBlock, maxBlock } = behaviourBounds;
  return clamp(blend(average, trust.block, block.here) / average, minBlock, maxBlock);
}

/** How this user changes the value of a level that is compared. */
interface Restlessness {
  /** The probability that a real login is new. */
  readonly newness: number;
  /** How much more often than others the user was new. */
  readonly relation: number;
}

function findRestlessness(
  hierarchy: HierarchyName,
  evidence: FinerLevel & Partial<LevelEvidence>,
  course: Course,
): Restlessness {
  const { minNewness, maxNewness } = behaviourBounds;
  const { count, all } = evidence.novelty;
  const usual = estimateNewness(evidence.level, course, count, all);
  const relation = relateChanges(hierarchy, evidence, usual);
  const newness = 1 - (1 - usual) ** (relation * relateToBlock(evidence));
  return { relation, newness: clamp(newness, minNewness, maxNewness) };
}

/** The probability that a person of the population has one of the values. */
function estimateChance(level: Level, counted: Counted): number {
  const { assumed, max } = chance[level];
  return Math.min(max, blend(assumed, trust.shares, counted));
}

function hitOf(kind: AttackerKind, level: Level, share: number): number {
  const imitates = attackers[kind].imitates[level];
  return imitates + (1 - imitates) * share;
}

function weighKinds(ratios: Ratios, weigh: (kind: AttackerKind) => number): Ratios {
  return attackerKinds.map((kind, index) => (ratios[index] ?? 1) * weigh(kind));
}

/** What the sessions on a way down a hierarchy have in common. */
class Path {
  ratios = neutralRatios;
  /** How likely the user gets as far. */
  stays = 1;
  /** How likely the levels agree that could not be compared since the last one: for the attackers, for the user. */
  #skippedHits = neutralRatios;
  #skippedStays = 1;

  /** Passes a level that cannot be compared. */
  skip(level: Level, course: Course): void {
    const { minNewness, maxSkippedNewness } = behaviourBounds;
    const usual = estimateNewness(level, course, 0, 0);
    this.#skippedHits = this.#multiply(level, estimateChance(level, nothingCounted));
    this.#skippedStays *= 1 - clamp(usual, minNewness, maxSkippedNewness);
  }

  /** Passes a level whose value the history has. */
  pass({ level, own, population }: LevelEvidence, { newness, relation }: Restlessness): void {
    const commonness = Math.min(chance[level].max, estimateChance(level, population) / own);
    this.passSkipped(relation);
    this.ratios = weighKinds(this.ratios, (kind) => hitOf(kind, level, commonness));
    this.stays *= 1 - newness;
  }

  /**
   * Passes the levels that could not be compared. What the user changes seldom on the level below, the user changes as
   * seldom on them.
   */
  passSkipped(relation: number): void {
    this.ratios = this.ratios.map((ratio, index) => ratio * (this.#skippedHits[index] ?? 1));
    this.stays *= this.#skippedStays ** relation;
    this.#skippedHits = neutralRatios;
    this.#skippedStays = 1;
  }

  /** The ratios of a session that is new on this level. */
  stop({ level, population, step }: LevelEvidence, { newness, relation }: Restlessness): Ratios {
    const hits = this.#multiply(level, estimateChance(level, population));
    const direction = step === undefined ? 1 : versionSteps[step];
    const real = this.stays * (1 - this.#skippedStays ** relation * (1 - newness));
    return this.ratios.map((ratio, index) => (ratio * direction * (1 - (hits[index] ?? 1))) / real);
  }

  #multiply(level: Level, share: number): Ratios {
    return this.#skippedHits.map((hits, index) => {
      const kind = attackerKinds[index];
      return kind === undefined ? hits : hits * hitOf(kind, level, share);
    });
  }
}

export interface HierarchyRatios {
  readonly own: Ratios;
  /** Those of the sessions that are nearer to the history, at most. Empty if the session is known in everything. */
  readonly nearer: readonly Ratios[];
}

/** The ratios of the sessions that are nearer, at most: those that are new on a finer level, and the one that is known. */
function boundNearer(
  path: Path,
  hierarchy: HierarchyName,
  levels: readonly (FinerLevel & Partial<LevelEvidence>)[],
  course: Course,
): readonly Ratios[] {
  const [first, ...others] = levels;
  if (first === undefined) return [];
  const known = findRestlessness(hierarchy, first, course);
  path.passSkipped(known.relation);
  let ratios = weighKinds(path.ratios, (kind) => hitOf(kind, first.level, chance[first.level].max));
  let stays = path.stays * (1 - known.newness);
  const nearer: Ratios[] = [];
  for (const evidence of others) {
    const { level } = evidence;
    const { newness } = findRestlessness(hierarchy, evidence, course);
    const real = stays * newness;
    nearer.push(weighKinds(ratios, (kind) => (1 - attackers[kind].imitates[level]) / real));
    stays *= 1 - newness;
    ratios = weighKinds(ratios, (kind) => hitOf(kind, level, chance[level].max));
  }
  return [...nearer, ratios];
}

/** @param finer the levels below the one that is new */
export function computeRatios(
  hierarchy: HierarchyName,
  compared: readonly LevelEvidence[],
  finer: readonly FinerLevel[],
  course: Course,
): HierarchyRatios {
  const path = new Path();
  let index = 0;
  for (const level of hierarchies[hierarchy]) {
    const evidence = compared[index];
    if (evidence?.level !== level) {
      path.skip(level, course);
      continue;
    }
    index += 1;
    const restlessness = findRestlessness(hierarchy, evidence, course);
    if (evidence.seen) path.pass(evidence, restlessness);
    else {
      return {
        own: path.stop(evidence, restlessness),
        nearer: boundNearer(path, hierarchy, [evidence, ...finer], course),
      };
    }
  }
  return { own: path.ratios, nearer: [] };
}

/** The ratios over a level that is a hierarchy of its own. */
export function computeRatiosOfLevel(
  hierarchy: HierarchyName,
  evidence: LevelEvidence,
  course: Course,
): Ratios {
  const path = new Path();
  const restlessness = findRestlessness(hierarchy, evidence, course);
  if (!evidence.seen) return path.stop(evidence, restlessness);
  path.pass(evidence, restlessness);
  return path.ratios;
}
