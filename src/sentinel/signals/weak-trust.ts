/**
 * The bound of a trust that nobody confirmed (pure). Sessions that were allowed and not reported speak for the user,
 * but whoever was allowed once may have been an attacker. So they never talk a session out of a challenge to which
 * everything else leads; a confirmed session may.
 */
import type { BehaviourEvidence } from "../evidence.ts";
import type { Reason } from "../reason.ts";
import { challengeEvidence } from "../weights.ts";

/**
 * @param habits the reasons about habits
 * @param others what all signals contribute that are not about the history
 */
export function limitWeakTrust(
  habits: readonly Reason[],
  behaviour: BehaviourEvidence | null,
  others: number,
): readonly Reason[] {
  const isOnlyWeak = behaviour !== null && behaviour.weak === behaviour.logins;
  if (!isOnlyWeak || others < challengeEvidence) return habits;
  const sum = (reasons: readonly Reason[]) =>
    reasons.reduce((total, { contribution }) => total + contribution, 0);
  const least = challengeEvidence - others;
  if (sum(habits) >= least) return habits;
  const forUser = sum(habits.filter(({ contribution }) => contribution < 0));
  const kept = (least - (sum(habits) - forUser)) / forUser;
  return habits.map((one) =>
    one.contribution < 0 ? { ...one, contribution: one.contribution * kept } : one,
  );
}
