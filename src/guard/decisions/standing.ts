/** What discover shows of a user besides the assessment (pure). */
import type { Assessment } from "../../sentinel/assessment.ts";
import { hasLiveSecret } from "./authenticators.ts";
import type { DeviceAnswer } from "./device-state.ts";
import { describeDevice, findDevice } from "./devices.ts";
import type { Attempt } from "./evaluation.ts";
import { listUsablePasskeys, type PasskeyDemand } from "./passkeys.ts";
import { type Profile, profileOf } from "./profile.ts";
import type { IdentityState } from "./state.ts";
import type { GuardCall } from "./transition.ts";
import { findRefusal } from "./verify.ts";

export interface Standing {
  readonly user: Pick<Profile, "status" | "lockedUntil" | "otpStatus">;
  /** What the user can be challenged with now. */
  readonly factors: readonly Factor[];
  readonly device?: DeviceAnswer;
}

export type Factor = Attempt["method"] | "passkey";

export type Assessed = Assessment & Standing;

/**
 * The factors that could be accepted now. A pending secret is none of them: nobody has shown yet that the user has it.
 * A lock is one of codes, and not on a known device.
 */
function findFactors(
  state: IdentityState,
  call: Pick<GuardCall, "now" | "device">,
  passkeys: PasskeyDemand,
): readonly Factor[] {
  const device = findDevice(state, call);
  const holds = {
    totp: hasLiveSecret(state) && !state.otpDisabled,
    backup_code: (state.backupCodes?.unspent.length ?? 0) > 0,
  };
  const codes = (["totp", "backup_code"] as const).filter(
    (method) =>
      holds[method] && findRefusal(state, method, call.now, "login", device) === undefined,
  );
  const hasPasskey = listUsablePasskeys(state, passkeys).length > 0;
  return hasPasskey && state.status === "active" ? [...codes, "passkey"] : codes;
}

export function standingOf(
  state: IdentityState,
  call: Pick<GuardCall, "now" | "device">,
  passkeys: PasskeyDemand,
): Standing {
  const { status, lockedUntil, otpStatus } = profileOf(state, call.now);
  const device = describeDevice(state, call, findDevice(state, call));
  return {
    user: { status, lockedUntil, otpStatus },
    factors: findFactors(state, call, passkeys),
    ...(device === undefined ? {} : { device }),
  };
}

/** Whether the answer shows the user's standing; an answer that an older build kept does not. */
export function hasStanding(value: Assessment & Partial<Standing>): boolean {
  return value.user !== undefined;
}

/** Completes an answer that an older build kept, from the present state. */
export function completeAssessed(
  kept: Assessment & Partial<Standing>,
  state: IdentityState,
  call: Pick<GuardCall, "now" | "device">,
  passkeys: PasskeyDemand,
): Assessed {
  return { ...standingOf(state, call, passkeys), ...kept };
}
