/**
 * Thresholds by kind of attacker (pure). A session is challenged if the probability of any kind, or the risk, is at
 * or above the threshold of that kind. The thresholds are found in the validation period.
 */
import type { Column } from "./results.ts";

/** Stands for the risk score among the kinds. */
const risk = "risk";
/** Steps in which the real logins that may be challenged are given to the kinds. */
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
  const rows = new ChallengedRows(column);
  for (const [kind, threshold] of policy) rows.add(kind, threshold);
  return rows.shareWith(risk, Number.POSITIVE_INFINITY);
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

/** The rows of a column that a growing policy challenges. */
class ChallengedRows {
  readonly #column: Column;
  readonly #flags: Uint8Array;

  constructor(column: Column) {
    this.#column = column;
    this.#flags = new Uint8Array(column.users.length);
  }

  /** The share that is challenged if this threshold is added. */
  shareWith(kind: string, threshold: number): number {
    const values = valuesOf(this.#column, kind);
    let challenged = 0;
    for (let row = 0; row < this.#flags.length; row += 1) {
      if (this.#flags[row] === 1 || (values[row] ?? 0) >= threshold) challenged += 1;
    }
    return challenged / this.#flags.length;
  }

  add(kind: string, threshold: number): void {
    for (const [row, value] of valuesOf(this.#column, kind).entries()) {
      if (value >= threshold) this.#flags[row] = 1;
    }
  }
}

/** What an attack beyond its bar is worth, against one below it. */
const worthBeyondBar = 0.02;

function worthOf(caught: number, bar: number): number {
  return Math.min(caught, bar) + worthBeyondBar * caught;
}

interface Step {
  readonly kind: string;
  readonly threshold: number;
  readonly worth: number;
}

/**
 * Finds one policy for all attackers that challenges at most this share of real logins: gives the share to the kinds
 * step by step, each time to the one that helps most. Each threshold counts as one more real login than it challenges,
 * because one that challenges none of these will challenge others.
 */
export function findPolicy(real: Column, rivals: readonly Rival[], share: number): KindPolicy {
  const given = new Map(listKinds(real).map((kind) => [kind, 0]));
  const policy = new Map<string, number>();
  const spared = new ChallengedRows(real);
  const caught = rivals.map(({ attacks, bar }) => ({ rows: new ChallengedRows(attacks), bar }));
  for (let step = 0; step < steps; step += 1) {
    let best: Step | null = null;
    // Of kinds that help alike, the one that has least comes first.
    for (const [kind, parts] of [...given].toSorted(([, one], [, other]) => one - other)) {
      const threshold = findThreshold(real, kind, ((parts + 1) / steps) * share);
      const kinds = new Set([...policy.keys(), kind]).size;
      const challenged = spared.shareWith(kind, threshold) + kinds / real.users.length;
      if (challenged > share) continue;
      const worth = caught.reduce(
        (sum, { rows, bar }) => sum + worthOf(rows.shareWith(kind, threshold), bar),
        0,
      );
      if (best === null || worth > best.worth) best = { kind, threshold, worth };
    }
    if (best === null) break;
    const { kind, threshold } = best;
    policy.set(kind, threshold);
    given.set(kind, (given.get(kind) ?? 0) + 1);
    for (const rows of [spared, ...caught.map((one) => one.rows)]) rows.add(kind, threshold);
  }
  return policy;
}
