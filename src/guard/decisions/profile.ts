/** What the API shows of an identity (pure). */
import { isLocked } from "./lockout.ts";
import type { IdentityState } from "./state.ts";

/** Times are Unix ms. */
export interface Profile {
  readonly id: string;
  readonly externalId: string;
  readonly tenantId: string;
  readonly status: "active" | "locked" | "suspended";
  readonly hasOtp: boolean;
  readonly isLocked: boolean;
  readonly failedAttempts: number;
  readonly lockedUntil: number | null;
  readonly backupCodesRemaining: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastVerifiedAt: number | null;
}

/** A suspension takes precedence over a lock. @param now Unix ms */
export function statusOf(
  status: "active" | "suspended",
  lockedUntil: number | null,
  now: number,
): Profile["status"] {
  if (status === "suspended") return "suspended";
  return lockedUntil !== null && now < lockedUntil ? "locked" : "active";
}

export function profileOf(state: IdentityState, now: number): Profile {
  const locked = isLocked(state.lockout, now);
  return {
    id: state.identityId,
    externalId: state.externalId,
    tenantId: state.tenantId,
    status: statusOf(
      state.status === "suspended" ? "suspended" : "active",
      state.lockout.lockedUntil,
      now,
    ),
    // A disabled TOTP counts: a login that asks for a code only if there is TOTP must still ask.
    hasOtp: state.totp !== null,
    isLocked: locked,
    failedAttempts: state.lockout.failedAttempts,
    lockedUntil: locked ? state.lockout.lockedUntil : null,
    backupCodesRemaining: state.backupCodes?.unspent.length ?? 0,
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    lastVerifiedAt: state.lastVerifiedAt,
  };
}
