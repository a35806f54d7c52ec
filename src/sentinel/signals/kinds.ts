/**
 * Who the session is from (pure): the risk score, divided among the kinds of attacker in proportion to how well
 * each fits the evidence. What the score leaves is the real user.
 */
import { shareKinds } from "../behaviour/attacker-model.ts";
import type { SessionEvidence } from "../evidence.ts";
import { type Kinds, mapKinds } from "../kinds.ts";
import type { Reason, SignalName } from "../reason.ts";
import { type AttackerKind, attackerKinds, signalKinds } from "../weights.ts";
import { listHabitsOff } from "./habits.ts";

const stepsInOne = 10_000;

/**
 * Rounds parts to four decimals so that their sum stays what it is: those that lose the most by rounding down
 * get the steps that are left.
 */
function roundParts(parts: readonly number[], sum: number): number[] {
  const exact = parts.map((part) => part * stepsInOne);
  const steps = exact.map(Math.floor);
  const left = Math.round(sum * stepsInOne) - steps.reduce((total, step) => total + step, 0);
  const lossOf = (index: number) => (exact[index] ?? 0) - (steps[index] ?? 0);
  const byLoss = [...steps.keys()].toSorted((one, other) => lossOf(other) - lossOf(one));
  const raised = new Set(byLoss.slice(0, Math.max(0, left)));
  return steps.map((step, index) => (step + (raised.has(index) ? 1 : 0)) / stepsInOne);
}

/** A signal that speaks of some kinds of attacker alone makes those as much likelier as it contributes. */
function weighKinds(
  shares: Readonly<Record<AttackerKind, number>>,
  reasons: readonly Reason[],
): readonly number[] {
  const weighed = attackerKinds.map((kind) => {
    const pointing = reasons.filter(({ signal }) => signalKinds[signal]?.includes(kind));
    const evidence = pointing.reduce((sum, { contribution }) => sum + contribution, 0);
    return shares[kind] * Math.exp(Math.max(0, evidence));
  });
  const all = weighed.reduce((sum, share) => sum + share);
  return weighed.map((share) => share / all);
}

/** @param off signals that the tenant has switched off */
export function estimateKinds(
  { behaviour }: SessionEvidence,
  reasons: readonly Reason[],
  riskScore: number,
  off: readonly string[],
): Kinds {
  const isOff = (signal: SignalName) => off.includes(signal);
  const shares = weighKinds(shareKinds(behaviour, listHabitsOff(isOff)), reasons);
  const parts = roundParts(
    shares.map((share) => share * riskScore),
    riskScore,
  );
  const real = Math.round((1 - riskScore) * stepsInOne) / stepsInOne;
  return { ...mapKinds((kind) => parts[attackerKinds.indexOf(kind)] ?? 0), real };
}
