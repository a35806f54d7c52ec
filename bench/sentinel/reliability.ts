/** Whether a stated risk is what happens (pure): how often sessions with a similar risk are attacks. */
import { type AttackerKind, attackerKinds } from "./generator/attackers.ts";
import { type Columns, keyOf } from "./results.ts";

/** The share of attacks among all sessions, which is the prior of Sentinel. Every attacker has an equal part of it. */
export const assumedAttacks = 0.05;
/** The lower bounds of the bins. Below the first one, a stated risk is not judged. */
const bounds = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95] as const;
export const maxFactor = 1.5;
/** A bin with fewer sessions says nothing. */
export const minSessions = 50;

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly sessions: number;
  /** The mean of the stated risks, and the share of attacks. */
  readonly stated: number;
  readonly observed: number;
}

interface Sums {
  sessions: number;
  weight: number;
  stated: number;
  attacks: number;
}

/** How far stated and observed risk are apart; at least 1. */
export function factorOf({ stated, observed }: Bin): number {
  return Math.max(stated / observed, observed / stated);
}

/** Compares them in the matched test period. */
export function measureReliability(columns: Columns): Bin[] {
  const sums = bounds.map((): Sums => ({ sessions: 0, weight: 0, stated: 0, attacks: 0 }));
  const kinds = attackerKinds.filter((kind) => columns[keyOf("matched", "test", kind)]);
  const add = (kind: AttackerKind | "real", share: number) => {
    const risks = columns[keyOf("matched", "test", kind)]?.risks ?? [];
    for (const risk of risks) {
      const sum = sums[bounds.findLastIndex((bound) => risk >= bound)];
      if (sum === undefined) continue;
      const weight = share / risks.length;
      sum.sessions += 1;
      sum.weight += weight;
      sum.stated += weight * risk;
      if (kind !== "real") sum.attacks += weight;
    }
  };
  add("real", 1 - assumedAttacks);
  for (const kind of kinds) add(kind, assumedAttacks / kinds.length);
  return sums.map(({ sessions, weight, stated, attacks }, index) => ({
    from: bounds[index] ?? 0,
    to: bounds[index + 1] ?? 1,
    sessions,
    stated: stated / weight,
    observed: attacks / weight,
  }));
}
