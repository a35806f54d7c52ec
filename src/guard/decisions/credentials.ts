/** Changes of an identity's credentials (pure): TOTP and backup codes. */

import type { Enrolment } from "../../tenancy/policy.ts";
import { isFull, lockoutForNewSecret, pendingLifetimeMs } from "./authenticators.ts";
import { applyChange, refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

/**
 * Sets a new primary secret: live at once, or pending until a code of it is accepted. The secrets beside it stay. The
 * failures stay counted. If they disabled TOTP, the count until it is disabled again starts over.
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
  const lockout = lockoutForNewSecret(state);
  const change: Partial<IdentityState> =
    enrolment === "immediate"
      ? { totp: { sealed, lastTimeStep: null, id }, pendingTotp: null, otpDisabled: false, lockout }
      : { pendingTotp: { sealed, expiresAt: now + pendingLifetimeMs, id }, lockout };
  const entry: EventEntry = {
    action: "otp.configured",
    outcome: "success",
    details: { enrolment, replaced: state.totp !== null },
  };
  const isSetupComplete = enrolment === "immediate";
  return applyChange(state, change, [entry], succeed({ isSetupComplete }), call.now);
}

/**
 * Removes TOTP: all secrets, live or pending, so that no code is accepted any more, and the backup codes: codes left
 * behind would be valid again after the next enrolment. The failures stay counted.
 */
export function removeTotp(state: IdentityState, call: GuardCall): Transition<void> {
  const { totp, pendingTotp, authenticators: added } = state;
  if (totp === null && pendingTotp === null && added.length === 0) {
    return refuse(state, call, "otp.removed", { code: "otp_not_configured" });
  }
  const removed: EventEntry = { action: "otp.removed", outcome: "success" };
  return applyChange(
    state,
    { totp: null, pendingTotp: null, authenticators: [], backupCodes: null },
    [
      added.length === 0
        ? removed
        : { ...removed, details: { added_authenticators: added.length } },
    ],
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
