/**
 * The likelihood ratios of one hierarchy, level by level (pure): how probable what is found is for each kind of
 * attacker, over how probable it is for the user.
 */
import type { HierarchyName, Level } from "../context.ts";
import type { Counted, LevelEvidence } from "../evidence.ts";
import {
  type AttackerKind,
  attackerKinds,
  attackers,
  behaviourBounds,
  chance,
  trust,
  versionSteps,
} from "../weights.ts";
import { countsInOne } from "./compare-levels.ts";
import { type Course, estimateNewness } from "./newness.ts";

/** In the order of `attackerKinds`. */
export type Ratios = readonly number[];

export const neutralRatios: Ratios = attackerKinds.map(() => 1);

/** A way down a hierarchy, along values that are known. */
export interface Path {
  readonly ratios: Ratios;
  /** How likely the levels agree that could not be compared since the last one: for the attackers, for the user. */
  readonly skippedHits: Ratios;
  readonly skippedKnown: number;
}

export const startOfPath: Path = {
  ratios: neutralRatios,
  skippedHits: neutralRatios,
  skippedKnown: 1,
};

const nothingCounted = { count: 0, all: 0 };

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
  { changes, ownNovelty }: LevelEvidence,
  usual: number,
): number {
  const observed = changes === undefined ? ownNovelty.count : changes.observed / countsInOne;
  const expected = changes === undefined ? ownNovelty.all * usual : changes.expected / countsInOne;
  const weight = trust.changes[hierarchy];
  return (weight + observed) / (weight + expected);
}

/**
 * The probability that a real login of this user has the value that it had before on a level that is compared, and on
 * those above it that could not be. What changes seldom on a level changes as seldom on the coarser ones.
 * @param newness on this level; found if it is absent
 */
function findConstancy(
  path: Path,
  hierarchy: HierarchyName,
  evidence: LevelEvidence,
  course: Course,
  newness?: number,
): number {
  const { minNewness, maxNewness } = behaviourBounds;
  const usual = estimateNewness(evidence.level, course, evidence.novelty);
  const relation = relateChanges(hierarchy, evidence, usual);
  const found = newness ?? clamp(1 - (1 - usual) ** relation, minNewness, maxNewness);
  return path.skippedKnown ** relation * (1 - found);
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

/** The evidence of a new version of a known browser: updates go up, and an attacker has any version. */
function weighStep({ step }: LevelEvidence): number {
  return step === undefined ? 1 : versionSteps[step];
}

/** The path past a level that cannot be compared. */
export function skipLevel(path: Path, level: Level, course: Course): Path {
  const { minNewness, maxSkippedNewness } = behaviourBounds;
  const usual = estimateNewness(level, course, nothingCounted);
  const share = estimateChance(level, nothingCounted);
  return {
    ratios: path.ratios,
    skippedHits: attackerKinds.map(
      (kind, index) => (path.skippedHits[index] ?? 1) * hitOf(kind, level, share),
    ),
    skippedKnown: path.skippedKnown * (1 - clamp(usual, minNewness, maxSkippedNewness)),
  };
}

/** The ratios of a session that is new on this level. @param newness for the user; found if it is absent */
export function stopAt(
  path: Path,
  hierarchy: HierarchyName,
  evidence: LevelEvidence,
  course: Course,
  newness?: number,
): Ratios {
  const { level } = evidence;
  const share = estimateChance(level, evidence.known ?? evidence.population);
  const constancy = findConstancy(path, hierarchy, evidence, course, newness);
  const step = weighStep(evidence) / (1 - constancy);
  return attackerKinds.map((kind, index) => {
    const missed = 1 - (path.skippedHits[index] ?? 1) * hitOf(kind, level, share);
    return (path.ratios[index] ?? 1) * missed * step;
  });
}

/** The path past a level whose value the history has. */
export function passLevel(
  path: Path,
  hierarchy: HierarchyName,
  evidence: LevelEvidence,
  course: Course,
): Path {
  const { level, own, population } = evidence;
  const known = findConstancy(path, hierarchy, evidence, course);
  const commonness = Math.min(
    behaviourBounds.maxCommonness,
    estimateChance(level, population) / own,
  );
  return {
    ratios: attackerKinds.map((kind, index) => {
      const hit = (path.skippedHits[index] ?? 1) * hitOf(kind, level, commonness);
      return ((path.ratios[index] ?? 1) * hit) / known;
    }),
    skippedHits: neutralRatios,
    skippedKnown: 1,
  };
}
