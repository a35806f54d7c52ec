/** Changes of an identity's credentials (pure): TOTP and backup codes. */
import type { Enrolment } from "../../tenancy/policy.ts";
import { restartDisableCount } from "./lockout.ts";
import { applyChange, refuse } from "./refusals.ts";
import { createLiveSecret, type IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

/** How long a pending secret can be confirmed (enrolment `confirm`). */
const pendingLifetimeMs = 10 * 60 * 1000;

/**
 * Sets a new secret: live at once, or pending until a code of it is accepted. The failures stay counted.
 * If they disabled TOTP, the count until it is disabled again starts over.
 */
export function configureTotp(
  state: IdentityState,
  call: GuardCall,
  sealed: string,
  enrolment: Enrolment,
): Transition<{ readonly isSetupComplete: boolean }> {
  if (state.status === "suspended") {
    return refuse(state, call, "otp.configured", { code: "user_suspended" });
  }
  const lockout = state.otpDisabled ? restartDisableCount(state.lockout) : state.lockout;
  const change: Partial<IdentityState> =
    enrolment === "immediate"
      ? { totp: createLiveSecret(sealed, null), pendingTotp: null, otpDisabled: false, lockout }
      : { pendingTotp: { sealed, expiresAt: call.now + pendingLifetimeMs }, lockout };
  const entry: EventEntry = {
    action: "otp.configured",
    outcome: "success",
    details: { enrolment, replaced: state.totp !== null },
  };
  const isSetupComplete = enrolment === "immediate";
  return applyChange(state, change, [entry], succeed({ isSetupComplete }), call.now);
}

/**
 * Removes TOTP, a pending secret, and the backup codes: codes left behind would be valid again after the
 * next enrolment. The failures stay counted.
 */
export function removeTotp(state: IdentityState, call: GuardCall): Transition<void> {
  if (state.totp === null && state.pendingTotp === null) {
    return refuse(state, call, "otp.removed", { code: "otp_not_configured" });
  }
  return applyChange(
    state,
    { totp: null, pendingTotp: null, backupCodes: null },
    [{ action: "otp.removed", outcome: "success" }],
    succeed(undefined),
    call.now,
  );
}

/** Sets new backup codes. The old set is invalid from the same step on. */
export function replaceBackupCodes(
  state: IdentityState,
  call: GuardCall,
  keyVersion: number,
  hashes: readonly string[],
): Transition<void> {
  if (state.status === "suspended") {
    return refuse(state, call, "backup_codes.generated", { code: "user_suspended" });
  }
  return applyChange(
    state,
    { backupCodes: { keyVersion, unspent: hashes, spent: [] } },
    [
      {
        action: "backup_codes.generated",
        outcome: "success",
        details: { count: hashes.length, replaced: state.backupCodes !== null },
      },
    ],
    succeed(undefined),
    call.now,
  );
}
