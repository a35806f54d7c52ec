/** Changes of an identity's credentials (pure): TOTP configured and removed, backup codes made. */
import type { Enrolment } from "../../tenancy/policy.ts";
import { restartDisableCount } from "./lockout.ts";
import { applyChange, refuse } from "./refusals.ts";
import type { IdentityState, RefusableAction } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

/** How long a shown but unconfirmed secret can be confirmed (enrolment `confirm`). */
const pendingLifetimeMs = 10 * 60 * 1000;

/** Credentials are not handed out for a suspended user. */
function unlessSuspended<T>(
  state: IdentityState,
  call: GuardCall,
  action: RefusableAction,
  carryOut: () => Transition<T>,
): Transition<T> {
  return state.status === "suspended"
    ? refuse(state, call, action, { code: "user_suspended" })
    : carryOut();
}

/**
 * A new secret: live at once, or pending until a code of it is accepted. The failures stay counted;
 * a TOTP disabled by them starts a new hundred.
 */
export function configureTotp(
  state: IdentityState,
  call: GuardCall,
  sealed: string,
  enrolment: Enrolment,
): Transition<{ readonly isSetupComplete: boolean }> {
  const lockout = state.otpDisabled ? restartDisableCount(state.lockout) : state.lockout;
  const change: Partial<IdentityState> =
    enrolment === "immediate"
      ? { totp: { sealed, lastTimeStep: null }, pendingTotp: null, otpDisabled: false, lockout }
      : { pendingTotp: { sealed, expiresAt: call.now + pendingLifetimeMs }, lockout };
  const entry: EventEntry = {
    action: "otp.configured",
    outcome: "success",
    details: { enrolment, replaced: state.totp !== null },
  };
  return unlessSuspended(state, call, "otp.configured", () =>
    applyChange(
      state,
      change,
      [entry],
      succeed({ isSetupComplete: enrolment === "immediate" }),
      call.now,
    ),
  );
}

/**
 * Removes TOTP, a pending secret, and the backup codes that stand in for it: left behind they would
 * come alive again with the next enrolment. The failures stay counted.
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

/** A new set; the old one, spent or not, is dead with the same step. */
export function replaceBackupCodes(
  state: IdentityState,
  call: GuardCall,
  keyVersion: number,
  hashes: readonly string[],
): Transition<void> {
  return unlessSuspended(state, call, "backup_codes.generated", () =>
    applyChange(
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
    ),
  );
}
