/** What the API shows of an identity (pure). */
import { hasLiveSecret } from "./authenticators.ts";
import { isLocked } from "./lockout.ts";
import { listPasskeys } from "./passkeys.ts";
import type { IdentityState } from "./state.ts";

export type OtpStatus = "none" | "pending" | "active" | "disabled";

/** Times are Unix ms. */
export interface Profile {
  readonly id: string;
  readonly externalId: string;
  readonly tenantId: string;
  readonly status: "active" | "locked" | "suspended";
  readonly hasOtp: boolean;
  readonly hasPasskeys: boolean;
  readonly isLocked: boolean;
  readonly failedAttempts: number;
  readonly lockedUntil: number | null;
  readonly backupCodesRemaining: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastVerifiedAt: number | null;
  readonly otpStatus: OtpStatus;
  /** A new secret waits for its first code while the user has another one. */
  readonly otpPending: boolean;
}

/** What the status of TOTP follows from. */
export interface OtpFacts {
  readonly hasOtp: boolean;
  readonly isDisabled: boolean;
  /** When the pending secret expires, Unix ms; null without one. */
  readonly pendingUntil: number | null;
}

function isPending({ pendingUntil }: OtpFacts, now: number): boolean {
  return pendingUntil !== null && now < pendingUntil;
}

/** A disabled TOTP stays disabled until a new secret is live. @param now Unix ms */
export function otpStatusOf(facts: OtpFacts, now: number): OtpStatus {
  if (facts.isDisabled) return "disabled";
  if (facts.hasOtp) return "active";
  return isPending(facts, now) ? "pending" : "none";
}

type NewerFields = "otpStatus" | "otpPending" | "hasPasskeys";

/** Completes a profile that an older build kept as the answer to a request. */
export function completeProfile(
  profile: Omit<Profile, NewerFields> & Partial<Pick<Profile, NewerFields>>,
): Profile {
  const otpStatus = profile.hasOtp ? "active" : "none";
  return { otpStatus, otpPending: false, hasPasskeys: false, ...profile };
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

/** When the last pending secret expires; null without one. */
function pendingUntilOf({ pendingTotp, authenticators }: IdentityState): number | null {
  const added = authenticators.flatMap(({ pendingUntil }) => pendingUntil ?? []);
  const all = pendingTotp === null ? added : [pendingTotp.expiresAt, ...added];
  return all.length === 0 ? null : Math.max(...all);
}

export function profileOf(state: IdentityState, now: number): Profile {
  const locked = isLocked(state.lockout, now);
  const facts: OtpFacts = {
    // A disabled TOTP counts: a login that asks for a code only if there is TOTP must still ask.
    hasOtp: hasLiveSecret(state),
    isDisabled: state.otpDisabled,
    pendingUntil: pendingUntilOf(state),
  };
  return {
    id: state.identityId,
    externalId: state.externalId,
    tenantId: state.tenantId,
    status: statusOf(
      state.status === "suspended" ? "suspended" : "active",
      state.lockout.lockedUntil,
      now,
    ),
    hasOtp: facts.hasOtp,
    hasPasskeys: listPasskeys(state).length > 0,
    isLocked: locked,
    failedAttempts: state.lockout.failedAttempts,
    lockedUntil: locked ? state.lockout.lockedUntil : null,
    backupCodesRemaining: state.backupCodes?.unspent.length ?? 0,
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    lastVerifiedAt: state.lastVerifiedAt,
    otpStatus: otpStatusOf(facts, now),
    otpPending: facts.hasOtp && isPending(facts, now),
  };
}
