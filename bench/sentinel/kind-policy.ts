/**
 * Thresholds by kind of attacker (pure). A session is challenged if the probability of any kind, or the risk, is at
 * or above the threshold of that kind. The thresholds are found in the validation period.
 */
import type { Column } from "./results.ts";

/** Stands for the risk score among the kinds. */
const risk = "risk";
/** Steps in which the real logins that may be challenged are divided among the kinds. */
const steps = 24;
/** An answer has four decimals. */
const answerSteps = 10_000;

/** The lowest probability of each kind that is challenged. */
export type KindPolicy = ReadonlyMap<string, number>;

function valuesOf(column: Column | undefined, kind: string): readonly number[] {
  return (kind === risk ? column?.risks : column?.kinds[kind]) ?? [];
}

function listKinds(real: Column): string[] {
  return [risk, ...Object.keys(real.kinds).filter((kind) => kind !== "real")];
}

/** The share of the column that the policy challenges. */
export function computeChallengedShare(column: Column | undefined, policy: KindPolicy): number {
  if (column === undefined) return Number.NaN;
  const demands = [...policy].map(([kind, from]) => ({ values: valuesOf(column, kind), from }));
  let challenged = 0;
  for (let row = 0; row < column.users.length; row += 1) {
    if (demands.some(({ values, from }) => (values[row] ?? 0) >= from)) challenged += 1;
  }
  return challenged / column.users.length;
}

/** The lowest threshold, with the four decimals of an answer, that challenges at most this share. */
function findThreshold(real: Column, kind: string, share: number): number {
  const values = valuesOf(real, kind).toSorted((left, right) => right - left);
  const spared = values[Math.floor(share * values.length)] ?? 0;
  return Math.round(spared * answerSteps + 1) / answerSteps;
}

/** The threshold of one kind alone that challenges at most this share of real logins. */
export function spareWithKind(real: Column, kind: string, share: number): KindPolicy {
  return new Map([[kind, findThreshold(real, kind, share)]]);
}

/** The kind whose threshold catches most of the attacks at this share. */
export function findBestKind(real: Column, attacks: Column, share: number): string {
  const caught = (kind: string) =>
    computeChallengedShare(attacks, spareWithKind(real, kind, share));
  return listKinds(real).reduce((best, kind) => (caught(kind) > caught(best) ? kind : best));
}

export interface Rival {
  readonly attacks: Column;
  /** The share of these attacks that the policy must catch to be ahead. */
  readonly bar: number;
}

/** How far beyond the bar a policy should be, because it is found in another period than it is measured in. */
const margin = 0.015;

/** What an attack beyond its bar is worth, against one below it. */
const worthBeyondBar = 0.01;

function worthOf(caught: number, bar: number): number {
  return Math.min(caught, bar + margin) + worthBeyondBar * caught;
}

/** The number of steps of real logins that each kind may challenge, in the order of `listKinds`. */
type Parts = readonly number[];

const bitsInWord = 32;

function countBits(word: number): number {
  let left = word - ((word >>> 1) & 0x55555555);
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333);
  return Math.imul((left + (left >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The rows of a column that each threshold challenges, as bits: a search asks for many unions of them. */
class ChallengedRows {
  readonly #rows: readonly (readonly Uint32Array[])[];
  readonly #count: number;

  /** @param thresholds by kind and number of steps */
  constructor(
    column: Column,
    kinds: readonly string[],
    thresholds: readonly (readonly number[])[],
  ) {
    this.#count = column.users.length;
    this.#rows = kinds.map((kind, index) => {
      const values = valuesOf(column, kind);
      return (thresholds[index] ?? []).map((threshold) => {
        const words = new Uint32Array(Math.ceil(this.#count / bitsInWord));
        for (const [row, value] of values.entries()) {
          const word = Math.floor(row / bitsInWord);
          if (value >= threshold) words[word] = (words[word] ?? 0) | (1 << (row % bitsInWord));
        }
        return words;
      });
    });
  }

  shareOf(parts: Parts): number {
    const chosen = parts.flatMap((count, kind) => this.#rows[kind]?.[count] ?? []);
    let challenged = 0;
    for (let word = 0; word * bitsInWord < this.#count; word += 1) {
      let union = 0;
      for (const words of chosen) union |= words[word] ?? 0;
      challenged += countBits(union);
    }
    return challenged / this.#count;
  }
}

/** The parts with a step more for one kind, or with one or two steps moved to it from another kind. */
function listNeighbours(parts: Parts): Parts[] {
  const changed = (from: Parts, kind: number, by: number) =>
    from.map((count, index) => (index === kind ? count + by : count));
  return parts.flatMap((_, kind) => {
    const moved = [1, 2].flatMap((by) =>
      parts.flatMap((left, other) =>
        other === kind || left < by ? [] : [changed(changed(parts, kind, by), other, -by)],
      ),
    );
    return [changed(parts, kind, 1), ...moved];
  });
}

/** Improves the parts step by step until no neighbour is worth more. */
function climb(start: Parts, worthOfParts: (parts: Parts) => number): Parts {
  for (let best = start; ; ) {
    const neighbours = listNeighbours(best).filter((parts) =>
      parts.every((count) => count <= steps),
    );
    const next = neighbours.reduce(
      (most, parts) => (worthOfParts(parts) > worthOfParts(most) ? parts : most),
      best,
    );
    if (next === best) return best;
    best = next;
  }
}

/**
 * Finds one policy for all attackers that challenges at most this share of real logins. It divides the share among the
 * kinds, beginning with nothing and with half of it for each kind, and changes the division while that helps. Each
 * threshold counts as one more real login than it challenges, because one that challenges none of these will challenge
 * others.
 */
export function findPolicy(real: Column, rivals: readonly Rival[], share: number): KindPolicy {
  const kinds = listKinds(real);
  const thresholds = kinds.map((kind) =>
    Array.from({ length: steps + 1 }, (_, count) =>
      count === 0 ? Number.POSITIVE_INFINITY : findThreshold(real, kind, (count / steps) * share),
    ),
  );
  const spared = new ChallengedRows(real, kinds, thresholds);
  const caught = rivals.map(({ attacks, bar }) => ({
    rows: new ChallengedRows(attacks, kinds, thresholds),
    bar,
  }));
  const worthOfParts = (parts: Parts): number => {
    const used = parts.filter((count) => count > 0).length;
    if (spared.shareOf(parts) + used / real.users.length > share) return Number.NEGATIVE_INFINITY;
    return caught.reduce((sum, { rows, bar }) => sum + worthOf(rows.shareOf(parts), bar), 0);
  };
  const nothing = kinds.map(() => 0);
  const starts = [nothing, ...kinds.map((_, kind) => nothing.with(kind, steps / 2))];
  const found = starts.map((start) => climb(start, worthOfParts));
  const best = found.reduce((most, one) => (worthOfParts(one) > worthOfParts(most) ? one : most));
  return new Map(
    kinds.flatMap((kind, index) => {
      const threshold = thresholds[index]?.[best[index] ?? 0] ?? Number.POSITIVE_INFINITY;
      return threshold === Number.POSITIVE_INFINITY ? [] : [[kind, threshold] as const];
    }),
  );
}
