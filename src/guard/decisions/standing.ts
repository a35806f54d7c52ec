/** What discover shows of a user besides the assessment (pure). */
import type { AssessmentRecord } from "../../sentinel/assessment.ts";
import { hasLiveSecret } from "./authenticators.ts";
import { type Profile, profileOf } from "./profile.ts";
import type { IdentityState } from "./state.ts";
import { type Attempt, findRefusal } from "./verify.ts";

export interface Standing {
  readonly user: Pick<Profile, "status" | "lockedUntil" | "otpStatus">;
  /** What the user can be challenged with now. */
  readonly factors: readonly Attempt["method"][];
}

export type Assessed = AssessmentRecord & Standing;

/**
 * The factors of which a code could be accepted now. A pending secret is none of them: nobody has shown yet that
 * the user has it.
 */
function findFactors(state: IdentityState, now: number): readonly Attempt["method"][] {
  const holds = {
    totp: hasLiveSecret(state) && !state.otpDisabled,
    backup_code: (state.backupCodes?.unspent.length ?? 0) > 0,
  };
  return (["totp", "backup_code"] as const).filter(
    (method) => holds[method] && findRefusal(state, method, now) === undefined,
  );
}

export function standingOf(state: IdentityState, now: number): Standing {
  const { status, lockedUntil, otpStatus } = profileOf(state, now);
  return { user: { status, lockedUntil, otpStatus }, factors: findFactors(state, now) };
}

/** Whether the answer shows the user's standing; an answer that an older build kept does not. */
export function hasStanding(value: AssessmentRecord & Partial<Standing>): boolean {
  return value.user !== undefined;
}

/** Completes an answer that an older build kept, from the present state. */
export function completeAssessed(
  kept: AssessmentRecord & Partial<Standing>,
  state: IdentityState,
  now: number,
): Assessed {
  return { ...standingOf(state, now), ...kept };
}
