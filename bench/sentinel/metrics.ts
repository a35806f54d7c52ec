/**
 * Measures how well scores separate attacks from real logins (pure). A login is challenged if its score is at
 * or above the threshold. Ties count half for the area under the ROC curve, and together for a threshold.
 */
import { Random } from "./random.ts";

/** The scores of one side, real logins or attacks, with the users that they belong to. */
export interface Side {
  readonly scores: readonly number[];
  readonly users: readonly number[];
}

function sortDescending(scores: readonly number[]): number[] {
  return scores.toSorted((left, right) => right - left);
}

/** The share of the sorted scores that are at or above the threshold. */
function computeShareFrom(sorted: readonly number[], threshold: number): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? 0) >= threshold) from = middle + 1;
    else to = middle;
  }
  return sorted.length === 0 ? Number.NaN : from / sorted.length;
}

export function computeShareAtOrAbove(scores: readonly number[], threshold: number): number {
  return computeShareFrom(sortDescending(scores), threshold);
}

/** The highest threshold that catches at least this share of attacks. */
export function findCatchingThreshold(attacks: readonly number[], share: number): number {
  const sorted = sortDescending(attacks);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.POSITIVE_INFINITY;
}

/** The lowest threshold that challenges at most this share of real logins. */
export function findSparingThreshold(real: readonly number[], share: number): number {
  const sorted = sortDescending(real);
  const spared = sorted[Math.floor(share * sorted.length)] ?? Number.NEGATIVE_INFINITY;
  return sorted.findLast((score) => score > spared) ?? Number.POSITIVE_INFINITY;
}

/** The share of attacks caught where at most this share of real logins is challenged. */
export function computeRecall(real: readonly number[], attacks: readonly number[], share: number) {
  const sorted = sortDescending(real);
  const first = sorted[Math.floor(share * sorted.length)] ?? Number.NEGATIVE_INFINITY;
  return attacks.filter((score) => score > first).length / attacks.length;
}

/** The share of real logins challenged where at least this share of attacks is caught. */
export function computeChallenged(
  real: readonly number[],
  attacks: readonly number[],
  share: number,
) {
  return computeShareAtOrAbove(real, findCatchingThreshold(attacks, share));
}

export interface RocPoint {
  /** The shares of real logins and of attacks at or above one threshold. */
  readonly real: number;
  readonly attacks: number;
}

/** The ROC curve from (0, 0) to (1, 1), with a point for each score that occurs. */
export function rocOf(real: readonly number[], attacks: readonly number[]): RocPoint[] {
  const [left, right] = [sortDescending(real), sortDescending(attacks)];
  const points: RocPoint[] = [{ real: 0, attacks: 0 }];
  let [seenReal, seenAttacks] = [0, 0];
  while (seenReal < left.length || seenAttacks < right.length) {
    const at = Math.max(left[seenReal] ?? -Infinity, right[seenAttacks] ?? -Infinity);
    while (seenReal < left.length && left[seenReal] === at) seenReal += 1;
    while (seenAttacks < right.length && right[seenAttacks] === at) seenAttacks += 1;
    points.push({ real: seenReal / left.length, attacks: seenAttacks / right.length });
  }
  return points;
}

/** The probability that an attack scores above a real login; a tie counts half. */
export function aucOf(real: readonly number[], attacks: readonly number[]): number {
  const points = rocOf(real, attacks);
  return points.slice(1).reduce((area, point, index) => {
    const before = points[index] ?? point;
    return area + ((point.real - before.real) * (point.attacks + before.attacks)) / 2;
  }, 0);
}

/** The scores of both sides in one order, to be measured many times with different weights. */
class Ranking {
  readonly #users: Int32Array;
  readonly #isAttack: Uint8Array;
  /** Whether the next score differs. */
  readonly #endsTie: Uint8Array;

  constructor(real: Side, attacks: Side, indexOfUser: ReadonlyMap<number, number>) {
    const rows = [
      ...real.scores.map((score, index) => ({ score, user: real.users[index], attack: 0 })),
      ...attacks.scores.map((score, index) => ({ score, user: attacks.users[index], attack: 1 })),
    ].toSorted((left, right) => right.score - left.score);
    this.#users = Int32Array.from(rows, ({ user }) => indexOfUser.get(user ?? 0) ?? 0);
    this.#isAttack = Uint8Array.from(rows, ({ attack }) => attack);
    this.#endsTie = Uint8Array.from(rows, ({ score }, i) => (rows[i + 1]?.score === score ? 0 : 1));
  }

  /** The area, and the share of attacks caught at this share of real logins, with weighted users. */
  measure(weights: Int32Array, spared: number): { auc: number; recall: number } {
    let [allReal, allAttacks] = [0, 0];
    for (let row = 0; row < this.#users.length; row += 1) {
      const weight = weights[this.#users[row] ?? 0] ?? 0;
      if (this.#isAttack[row] === 1) allAttacks += weight;
      else allReal += weight;
    }
    let [real, attacks, area, recall] = [0, 0, 0, 0];
    let [tiedReal, tiedAttacks] = [0, 0];
    for (let row = 0; row < this.#users.length; row += 1) {
      const weight = weights[this.#users[row] ?? 0] ?? 0;
      if (this.#isAttack[row] === 1) tiedAttacks += weight;
      else tiedReal += weight;
      if (this.#endsTie[row] === 0) continue;
      area += tiedReal * (attacks + tiedAttacks / 2);
      real += tiedReal;
      attacks += tiedAttacks;
      if (real <= spared * allReal) recall = attacks;
      [tiedReal, tiedAttacks] = [0, 0];
    }
    return { auc: area / (allReal * allAttacks), recall: recall / allAttacks };
  }
}

/** The figures of one model for many resamples of the users. */
export interface Resamples {
  readonly auc: readonly number[];
  readonly recall: readonly number[];
}

/** Resamples the users with replacement (bootstrap), with the same draws for all models. */
export function resampleUsers(
  real: readonly Side[],
  attacks: readonly Side[],
  spared: number,
  rounds: number,
): Resamples[] {
  const users = new Set([...real, ...attacks].flatMap((side) => side.users));
  const indexOfUser = new Map([...users].map((user, index) => [user, index]));
  const rankings = real.map((side, model) => {
    return new Ranking(side, attacks[model] ?? { scores: [], users: [] }, indexOfUser);
  });
  const random = new Random("drawings");
  const found = rankings.map(() => ({ auc: [] as number[], recall: [] as number[] }));
  for (let round = 0; round < rounds; round += 1) {
    const weights = new Int32Array(users.size);
    for (let draw = 0; draw < users.size; draw += 1) {
      const user = random.below(users.size);
      weights[user] = (weights[user] ?? 0) + 1;
    }
    for (const [model, ranking] of rankings.entries()) {
      const { auc, recall } = ranking.measure(weights, spared);
      found[model]?.auc.push(auc);
      found[model]?.recall.push(recall);
    }
  }
  return found;
}

/** The middle 95 % of the values. */
export function middle95Of(values: readonly number[]): readonly [min: number, max: number] {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return [at(0.025), at(0.975)];
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  if (!Number.isInteger(middle)) return sorted[Math.floor(middle)] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
