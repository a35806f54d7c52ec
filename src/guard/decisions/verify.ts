/**
 * The decision on one code (pure). Keys and time are needed only to gather the evidence, which happens before.
 * The decision compares the evidence with the present state.
 */

import { encodeUtf8 } from "../../crypto/bytes.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import type { LockoutPolicy } from "../../tenancy/policy.ts";
import { countFailure, isLocked, noFailures } from "./lockout.ts";
import { applyChange, refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import {
  addRecentAttempt,
  type EventEntry,
  fail,
  type GuardCall,
  type GuardError,
  succeed,
  type Transition,
} from "./transition.ts";

/** A code in its normalised spelling. */
export type Attempt =
  | { readonly method: "totp"; readonly code: string }
  | { readonly method: "backup_code"; readonly code: string };

/** What was computed about an attempt, with the stored values that it was computed from. */
export type Evidence =
  | {
      readonly method: "totp";
      /** The sealed secrets that the code was compared with. If they changed, the evidence is stale. */
      readonly sealed: string | null;
      readonly pendingSealed: string | null;
      /** The newest time step of the window that has this code. */
      readonly step: number | undefined;
      readonly pendingStep: number | undefined;
    }
  | {
      readonly method: "backup_code";
      /** The key version of the set that the hash was computed for; null without a set. */
      readonly keyVersion: number | null;
      readonly hash: string | null;
    }
  | {
      /** Nothing was computed, because a rule forbade the attempt. */
      readonly method: Attempt["method"];
      readonly withheld: true;
    };
type TotpEvidence = Extract<Evidence, { readonly sealed: unknown }>;
type BackupCodeEvidence = Extract<Evidence, { readonly hash: unknown }>;

export interface Verified {
  readonly method: Attempt["method"];
  /** Set after a backup code. */
  readonly backupCodesRemaining?: number;
}

/** Returned when the state changed while the evidence was gathered: it must be gathered again. */
export const stale = Symbol("stale");

/** The pending secret, while it may be confirmed. */
export function confirmableTotpOf(state: IdentityState, now: number) {
  return state.pendingTotp !== null && now < state.pendingTotp.expiresAt ? state.pendingTotp : null;
}

/** The live secret, unless failures disabled it. */
export function liveTotpOf(state: IdentityState) {
  return state.otpDisabled ? null : state.totp;
}

/** The reason to refuse any code now; undefined if one may be evaluated. */
export function findRefusal(
  state: IdentityState,
  method: Attempt["method"],
  now: number,
): GuardError | undefined {
  if (state.status === "suspended") return { code: "user_suspended" };
  if (isLocked(state.lockout, now)) {
    return { code: "user_locked", lockedUntil: state.lockout.lockedUntil };
  }
  const pending = confirmableTotpOf(state, now);
  if (state.otpDisabled && (pending === null || method === "backup_code")) {
    return { code: "otp_disabled", lockedUntil: null };
  }
  const hasTotp = state.totp !== null || pending !== null;
  const hasFactor = hasTotp || (method === "backup_code" && state.backupCodes !== null);
  return hasFactor ? undefined : { code: "otp_not_configured" };
}

interface Evaluation {
  readonly accepted: boolean;
  /** The reason for a rejection. Only the trail has it: the client gets `invalid_code` in every case. */
  readonly reason?: "invalid_code" | "replayed_code" | "spent_code";
  readonly change: Partial<IdentityState>;
  readonly confirmed?: boolean;
}

function evaluateTotp(
  state: IdentityState,
  evidence: TotpEvidence,
  now: number,
): Evaluation | typeof stale {
  const totp = liveTotpOf(state);
  const pending = confirmableTotpOf(state, now);
  if (evidence.sealed !== (totp?.sealed ?? null)) return stale;
  if (evidence.pendingSealed !== (pending?.sealed ?? null)) return stale;
  const { step, pendingStep } = evidence;
  if (totp !== null && step !== undefined) {
    if (totp.lastTimeStep !== null && step <= totp.lastTimeStep) {
      return { accepted: false, reason: "replayed_code", change: {} };
    }
    return { accepted: true, change: { totp: { ...totp, lastTimeStep: step } } };
  }
  if (pending !== null && pendingStep !== undefined) {
    const switched = { sealed: pending.sealed, lastTimeStep: pendingStep };
    return {
      accepted: true,
      confirmed: true,
      change: { totp: switched, pendingTotp: null, otpDisabled: false },
    };
  }
  return { accepted: false, reason: "invalid_code", change: {} };
}

function evaluateBackupCode(
  state: IdentityState,
  evidence: BackupCodeEvidence,
): Evaluation | typeof stale {
  const set = state.backupCodes;
  if (evidence.keyVersion !== (set?.keyVersion ?? null)) return stale;
  const { hash } = evidence;
  if (set === null || hash === null) return { accepted: false, reason: "invalid_code", change: {} };
  const isAmong = (hashes: readonly string[]) =>
    hashes.filter((stored) => timingSafeEqual(encodeUtf8(stored), encodeUtf8(hash))).length > 0;
  if (isAmong(set.unspent)) {
    const unspent = set.unspent.filter((stored) => stored !== hash);
    const backupCodes = { ...set, unspent, spent: [...set.spent, hash] };
    return { accepted: true, change: { backupCodes } };
  }
  const reason = isAmong(set.spent) ? "spent_code" : "invalid_code";
  return { accepted: false, reason, change: {} };
}

function accept(
  state: IdentityState,
  call: GuardCall,
  method: Attempt["method"],
  { change, confirmed }: Evaluation,
): Transition<Verified> {
  const entries: EventEntry[] = [
    { action: "otp.verified", outcome: "success", details: { method } },
  ];
  if (confirmed) entries.push({ action: "otp.confirmed", outcome: "success" });
  const remaining = change.backupCodes?.unspent.length;
  return applyChange(
    state,
    {
      ...change,
      lockout: noFailures,
      lastVerifiedAt: call.now,
      recent: addRecentAttempt(state, "success", call.now),
    },
    entries,
    succeed(remaining === undefined ? { method } : { method, backupCodesRemaining: remaining }),
    call.now,
  );
}

function reject(
  state: IdentityState,
  call: GuardCall,
  method: Attempt["method"],
  reason: string,
  policy: LockoutPolicy,
): Transition<Verified> {
  const failure = countFailure(state.lockout, policy, call.now);
  const { failedAttempts, locks, lockedUntil } = failure.state;
  const entries: EventEntry[] = [
    {
      action: "otp.verified",
      outcome: "failure",
      reason,
      details: { method, failed_attempts: failedAttempts },
    },
  ];
  if (failure.locked) {
    entries.push({
      action: "user.locked",
      outcome: "success",
      reason: "too_many_failures",
      details: { locks, locked_until: new Date(lockedUntil ?? call.now).toISOString() },
    });
  }
  if (failure.disabled) {
    entries.push({
      action: "otp.disabled",
      outcome: "success",
      reason: "too_many_failures",
      details: { failed_attempts: failedAttempts },
    });
  }
  return applyChange(
    state,
    {
      lockout: failure.state,
      otpDisabled: state.otpDisabled || failure.disabled,
      pendingTotp: failure.disabled ? null : state.pendingTotp,
      recent: addRecentAttempt(state, "failure", call.now),
    },
    entries,
    fail({
      code: "invalid_code",
      attemptsRemaining: failure.attemptsRemaining,
      lockedUntil: failure.locked ? lockedUntil : null,
    }),
    call.now,
  );
}

/** Accepts, rejects or refuses an attempt. */
export function verify(
  state: IdentityState,
  call: GuardCall,
  evidence: Evidence,
  policy: LockoutPolicy,
): Transition<Verified> | typeof stale {
  const { method } = evidence;
  const refusal = findRefusal(state, method, call.now);
  if (refusal !== undefined) return refuse(state, call, "otp.verified", refusal);
  if ("withheld" in evidence) return stale;
  const evaluation =
    evidence.method === "totp"
      ? evaluateTotp(state, evidence, call.now)
      : evaluateBackupCode(state, evidence);
  if (evaluation === stale) return stale;
  return evaluation.accepted
    ? accept(state, call, method, evaluation)
    : reject(state, call, method, evaluation.reason ?? "invalid_code", policy);
}
