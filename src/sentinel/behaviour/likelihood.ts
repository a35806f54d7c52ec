/**
 * The likelihood ratios of one hierarchy (pure): how probable what is found is for each kind of attacker, over how
 * probable it is for the user.
 */
import { type HierarchyName, hierarchies, type Level, levels } from "../context.ts";
import type { Counted, FinerLevel, LevelEvidence } from "../evidence.ts";
import {
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

/** How often each kind of attacker has the victim's value deliberately, by level. */
const imitations: ReadonlyMap<Level, readonly number[]> = new Map(
  levels.map((level) => [level, attackerKinds.map((kind) => attackers[kind].imitates[level])]),
);

function imitationsOf(level: Level): readonly number[] {
  return imitations.get(level) ?? [];
}

/** A place in a hierarchy where a session may be: the first level that is new, or known in everything. */
export interface Place {
  /** The probability of each kind of attacker to be there. */
  readonly attackers: Ratios;
  /** The probability of the user. */
  readonly user: number;
}

/** The places of a hierarchy, the farthest from the history first, and the one of the session. */
export interface Places {
  readonly all: readonly Place[];
  readonly own: number;
}

/** Walks down a hierarchy, from coarse to fine. */
class Descent {
  readonly places: Place[] = [];
  #attackers = neutralRatios;
  /** The same, if all known values are as usual. */
  #ofUsual = neutralRatios;
  #user = 1;
  /** How likely the levels agree that could not be compared since the last one: for the attackers, for the user. */
  #skippedHits = neutralRatios;
  #skippedStays = 1;

  /** Passes a level that cannot be compared. */
  skip(level: Level, course: Course): void {
    const { minNewness, maxSkippedNewness } = behaviourBounds;
    const usual = estimateNewness(level, course, 0, 0);
    const share = estimateChance(level, nothingCounted);
    this.#skippedHits = imitationsOf(level).map(
      (imitates, kind) => (this.#skippedHits[kind] ?? 1) * (imitates + (1 - imitates) * share),
    );
    this.#skippedStays *= 1 - clamp(usual, minNewness, maxSkippedNewness);
  }

  /**
   * Adds the place of sessions that are new on a level, and passes to those that are not. What the user changes seldom
   * on the level, the user changes as seldom on the coarser ones that could not be compared.
   * @param share the share of the population that has any known value
   * @param ownShare the same, or less if the session's own value is rare beside how often the user has it
   */
  pass(
    level: Level,
    { newness, relation }: Restlessness,
    share: number,
    ownShare: number,
    { usual = 1, step }: Pick<LevelEvidence, "usual" | "step"> = {},
  ): void {
    const direction = step === undefined ? 1 : versionSteps[step];
    const stays = this.#skippedStays ** relation * (1 - newness);
    const [stopped, passed, ofUsual]: [number[], number[], number[]] = [[], [], []];
    for (const [kind, imitates] of imitationsOf(level).entries()) {
      const skipped = this.#skippedHits[kind] ?? 1;
      const attacker = this.#attackers[kind] ?? 1;
      const byChance = (1 - imitates) * ownShare;
      stopped.push(attacker * direction * (1 - skipped * (imitates + (1 - imitates) * share)));
      passed.push(attacker * skipped * (imitates * usual + byChance));
      ofUsual.push((this.#ofUsual[kind] ?? 1) * skipped * (imitates + byChance));
    }
    this.places.push({ attackers: stopped, user: this.#user * (1 - stays) });
    this.#attackers = passed;
    this.#ofUsual = ofUsual;
    this.#user *= stays;
    this.#skippedHits = neutralRatios;
    this.#skippedStays = 1;
  }

  /** Adds the place of the sessions that are known in everything. A further confirmation makes them more usual. */
  end(): void {
    this.places.push({ attackers: this.#ofUsual, user: this.#user });
  }
}

function passLevel(
  descent: Descent,
  hierarchy: HierarchyName,
  evidence: LevelEvidence,
  course: Course,
): void {
  const { level, seen, own, population, known = population } = evidence;
  const restlessness = findRestlessness(hierarchy, evidence, course);
  const share = estimateChance(level, seen ? known : population);
  const ownShare = seen ? Math.min(share, estimateChance(level, population) / own) : share;
  descent.pass(level, restlessness, share, ownShare, evidence);
}

/** @param finer the levels below the one that is new */
export function findPlaces(
  hierarchy: HierarchyName,
  compared: readonly LevelEvidence[],
  finer: readonly FinerLevel[],
  course: Course,
): Places {
  const descent = new Descent();
  const end = compared.at(-1)?.level;
  let index = 0;
  for (const level of hierarchies[hierarchy]) {
    const evidence = compared[index];
    if (evidence?.level === level) {
      passLevel(descent, hierarchy, evidence, course);
      index += 1;
    } else if (index < compared.length || end === undefined || compared.at(-1)?.seen === true) {
      descent.skip(level, course);
    }
  }
  for (const evidence of finer) {
    const { level } = evidence;
    const share = estimateChance(level, nothingCounted);
    descent.pass(level, findRestlessness(hierarchy, evidence, course), share, share);
  }
  descent.end();
  const isNew = compared.at(-1)?.seen === false;
  return { all: descent.places, own: isNew ? compared.length - 1 : descent.places.length - 1 };
}

/** How probable a place is for each kind of attacker, over how probable it is for the user. */
export function toRatios({ attackers: probabilities, user }: Place): Ratios {
  return probabilities.map((one) => one / user);
}

/** The ratios over a level that is a hierarchy of its own. */
export function computeRatiosOfLevel(
  hierarchy: HierarchyName,
  evidence: LevelEvidence,
  course: Course,
): Ratios {
  const descent = new Descent();
  passLevel(descent, hierarchy, evidence, course);
  descent.end();
  const place = descent.places[evidence.seen ? 1 : 0];
  return place === undefined ? neutralRatios : toRatios(place);
}
