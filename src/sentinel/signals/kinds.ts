/**
 * Who the session is from (pure): the risk score, divided among the kinds of attacker in proportion to how well
 * each fits the evidence. What the score leaves is the real user.
 */
import { shareKinds } from "../behaviour/attacker-model.ts";
import type { SessionEvidence } from "../evidence.ts";
import type { Kinds } from "../kinds.ts";
import type { SignalName } from "../reason.ts";
import { attackerKinds } from "../weights.ts";
import { listHabitsOff } from "./behaviour.ts";

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

/** @param off signals that the tenant has switched off */
export function estimateKinds(
  { behaviour }: SessionEvidence,
  riskScore: number,
  off: readonly string[],
): Kinds {
  const shares = shareKinds(
    behaviour,
    listHabitsOff((signal: SignalName) => off.includes(signal)),
  );
  const parts = attackerKinds.map((kind) => shares[kind] * riskScore);
  const [stuffing = 0, proxy = 0, targeted = 0, neighbour = 0, housemate = 0, phisher = 0] =
    roundParts(parts, riskScore);
  const real = Math.round((1 - riskScore) * stepsInOne) / stepsInOne;
  return { stuffing, proxy, targeted, neighbour, housemate, phisher, real };
}
