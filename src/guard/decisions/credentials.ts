/** Changes of an identity's credentials (pure): TOTP and backup codes. */

import type { Enrolment } from "../../tenancy/policy.ts";
import { isFull, lockoutForNewSecret, pendingLifetimeMs } from "./authenticators.ts";
import { removeDevices } from "./devices.ts";
import { applyChange, refuse } from "./refusals.ts";
import { rememberSpentCodes } from "./spent-codes.ts";
import type { IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

/**
 * Sets a new primary secret: live at once, or pending until a code of it is accepted. The secrets beside it stay. The
 * failures stay counted. If they disabled TOTP, the count until it is disabled again starts over. A secret that is live
 * at once removes the known devices, on which the old one was verified.
 */
export function configureTotp(
  state: IdentityState,
  call: GuardCall,
  { id, sealed }: { readonly id: string; readonly sealed: string },
  enrolment: Enrolment,
): Transition<{ readonly isSetupComplete: boolean }> {
  if (state.status === "suspended") {
    return refuse(state, call, "otp.configured", { code: "user_suspended" });
  }
  const { now } = call;
  if (isFull(state, now, "primary")) {
    return refuse(state, call, "otp.configured", { code: "too_many" });
  }
  const isSetupComplete = enrolment === "immediate";
  const removal = removeDevices(state, "otp_configured", () => isSetupComplete);
  const lockout = lockoutForNewSecret({ ...state, ...removal.change });
  const change: Partial<IdentityState> = isSetupComplete
    ? { totp: { sealed, lastTimeStep: null, id }, pendingTotp: null, otpDisabled: false }
    : { pendingTotp: { sealed, expiresAt: now + pendingLifetimeMs, id } };
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
 * Removes TOTP: all secrets, live or pending, so that no code is accepted any more, and the backup codes: codes left
 * behind would be valid again after the next enrolment. The failures stay counted, and the known devices are removed.
 */
export function removeTotp(state: IdentityState, call: GuardCall): Transition<void> {
  const { totp, pendingTotp, authenticators: added } = state;
  if (totp === null && pendingTotp === null && added.length === 0) {
    return refuse(state, call, "otp.removed", { code: "otp_not_configured" });
  }
  const removal = removeDevices(state, "otp_removed");
  const removed: EventEntry = { action: "otp.removed", outcome: "success" };
  const details = { added_authenticators: added.length };
  return applyChange(
    state,
    {
      ...{ totp: null, pendingTotp: null, authenticators: [], backupCodes: null },
      ...rememberSpentCodes(state),
      ...removal.change,
    },
    [added.length === 0 ? removed : { ...removed, details }, ...removal.entries],
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
    { backupCodes: { keyVersion, unspent: hashes, spent: [] }, ...rememberSpentCodes(state) },
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
