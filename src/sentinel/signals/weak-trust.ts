/**
 * The bound of a trust that nobody confirmed (pure). Sessions that were allowed and not reported speak for the user,
 * but whoever was allowed once may have been an attacker. So they never talk a session out of a challenge to which
 * everything else leads; a confirmed session may.
 */
import type { BehaviourEvidence } from "../evidence.ts";
import type { Reason } from "../reason.ts";
import { challengeEvidence } from "../weights.ts";

function sumOf(reasons: readonly Reason[]): number {
  return reasons.reduce((total, { contribution }) => total + contribution, 0);
}

/** The part of what speaks for the user that counts, and what is for and against the user before it is limited. */
export interface WeakLimit {
  readonly kept: number;
  readonly forUser: number;
  readonly against: number;
}

/**
 * @param habits the reasons about habits
 * @param others what all signals contribute that are not about the history
 * @returns undefined if nothing is limited
 */
export function findWeakLimit(
  habits: readonly Reason[],
  behaviour: BehaviourEvidence | null,
  others: number,
): WeakLimit | undefined {
  const isOnlyWeak = behaviour !== null && behaviour.weak === behaviour.logins;
  if (!isOnlyWeak || others < challengeEvidence) return undefined;
  const least = challengeEvidence - others;
  if (sumOf(habits) >= least) return undefined;
  const forUser = sumOf(habits.filter(({ contribution }) => contribution < 0));
  const against = sumOf(habits) - forUser;
  return { kept: (least - against) / forUser, forUser, against };
}

/** The parameters are those of `findWeakLimit`. */
export function limitWeakTrust(
  habits: readonly Reason[],
  behaviour: BehaviourEvidence | null,
  others: number,
): readonly Reason[] {
  const limit = findWeakLimit(habits, behaviour, others);
  if (limit === undefined) return habits;
  return habits.map((one) =>
    one.contribution < 0 ? { ...one, contribution: one.contribution * limit.kept } : one,
  );
}
