/**
 * Thresholds by kind of attacker (pure). A session is challenged if the probability of any kind, or the risk, is at
 * or above the threshold of that kind. The thresholds are found in the validation period.
 */
import { findSparingThreshold } from "./metrics.ts";
import type { Column } from "./results.ts";

/** Stands for the risk score among the kinds. */
const risk = "risk";
/** Steps in which the real logins that may be challenged are given to the kinds. */
const steps = 24;

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
  const challenged = new Set<number>();
  for (const [kind, threshold] of policy) {
    for (const [index, value] of valuesOf(column, kind).entries()) {
      if (value >= threshold) challenged.add(index);
    }
  }
  return challenged.size / (column?.users.length ?? 0);
}

/** The threshold of one kind alone that challenges at most this share of real logins. */
export function spareWithKind(real: Column, kind: string, share: number): KindPolicy {
  return new Map([[kind, findSparingThreshold(valuesOf(real, kind), share)]]);
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

/** How far the policy is behind its bars; less is better. Beyond them, every attack counts a little. */
function computeShortfall(policy: KindPolicy, rivals: readonly Rival[]): number {
  const beyondBar = 0.02;
  return rivals.reduce((sum, { attacks, bar }) => {
    const caught = computeChallengedShare(attacks, policy);
    return sum + Math.max(0, bar - caught) - beyondBar * caught;
  }, 0);
}

/**
 * Finds one policy for all attackers that challenges at most this share of real logins: gives the share to the kinds
 * step by step, each time to the one that helps most.
 */
export function findPolicy(real: Column, rivals: readonly Rival[], share: number): KindPolicy {
  const given = new Map(listKinds(real).map((kind) => [kind, 0]));
  let policy: KindPolicy = new Map();
  for (let step = 0; step < steps; step += 1) {
    let best: {
      readonly kind: string;
      readonly policy: KindPolicy;
      readonly worth: number;
    } | null = null;
    for (const [kind, parts] of given) {
      const own = spareWithKind(real, kind, ((parts + 1) / steps) * share);
      const next: KindPolicy = new Map([...policy, ...own]);
      if (computeChallengedShare(real, next) > share) continue;
      const worth = -computeShortfall(next, rivals);
      if (best === null || worth > best.worth) best = { kind, policy: next, worth };
    }
    if (best === null) break;
    policy = best.policy;
    given.set(best.kind, (given.get(best.kind) ?? 0) + 1);
  }
  return policy;
}
