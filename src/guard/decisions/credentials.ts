/** Changes of an identity's credentials (pure): TOTP and backup codes. */
import type { Enrolment } from "../../tenancy/policy.ts";
import { removeDevices } from "./devices.ts";
import { restartDisableCount } from "./lockout.ts";
import { applyChange, refuse } from "./refusals.ts";
import { createLiveSecret, type IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

/** How long a pending secret can be confirmed (enrolment `confirm`). */
const pendingLifetimeMs = 10 * 60 * 1000;

/**
 * Sets a new secret: live at once, or pending until a code of it is accepted. The failures stay counted.
 * If they disabled TOTP, the count until it is disabled again starts over. A secret that is live at once removes the
 * known devices, on which the old one was verified.
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
  const isSetupComplete = enrolment === "immediate";
  const removal = removeDevices(state, "otp_configured", () => isSetupComplete);
  const failed = removal.change.lockout;
  const lockout = state.otpDisabled ? restartDisableCount(failed) : failed;
  const change: Partial<IdentityState> = isSetupComplete
    ? { totp: createLiveSecret(sealed, null), pendingTotp: null, otpDisabled: false }
    : { pendingTotp: { sealed, expiresAt: call.now + pendingLifetimeMs } };
  const entry: EventEntry = {
    action: "otp.configured",
    outcome: "success",
    details: { enrolment, replaced: state.totp !== null },
  };
  return applyChange(
    state,
    { ...change, ...removal.change, lockout },
    [entry, ...removal.entries],
    succeed({ isSetupComplete }),
    call.now,
  );
}

/**
 * Removes TOTP, a pending secret, and the backup codes: codes left behind would be valid again after the
 * next enrolment. The failures stay counted, and the known devices are removed.
 */
export function removeTotp(state: IdentityState, call: GuardCall): Transition<void> {
  if (state.totp === null && state.pendingTotp === null) {
    return refuse(state, call, "otp.removed", { code: "otp_not_configured" });
  }
  const removal = removeDevices(state, "otp_removed");
  return applyChange(
    state,
    { totp: null, pendingTotp: null, backupCodes: null, ...removal.change },
    [{ action: "otp.removed", outcome: "success" }, ...removal.entries],
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
