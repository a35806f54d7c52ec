/**
 * The decision on one code (pure). Keys and time are needed only to gather the evidence, which happens before.
 * The decision compares the evidence with the present state.
 */

import { encodeUtf8 } from "../../crypto/bytes.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import type { LockoutPolicy } from "../../tenancy/policy.ts";
import { countDeviceAttempts, describeDisabling, rejectOnDevice } from "./device-failure.ts";
import type { KnownDevice } from "./device-state.ts";
import { type AddedDevice, countDeviceFailures, findDevice, removeDevices } from "./devices.ts";
import { countFailure, countRemainingAttempts, isLocked, noFailures } from "./lockout.ts";
import { addSessionOf, applyChange, refuse } from "./refusals.ts";
import { createLiveSecret, type IdentityState } from "./state.ts";
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

/** A code that confirms is compared with the pending secret alone. */
export type Purpose = "login" | "confirm";

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
      /** The time step that was accepted last, and whether it has this code too; it may be before the window. */
      readonly lastTimeStep: number | null;
      readonly isLastCode: boolean;
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

export interface Verified extends AddedDevice {
  readonly method: Attempt["method"];
  /** Set after a backup code. */
  readonly backupCodesRemaining?: number;
  /** Set when the code made a pending secret live. */
  readonly enrolmentConfirmed?: true;
}

/** Returned when the state changed while the evidence was gathered: it must be gathered again. */
export const stale = Symbol("stale");

/**
 * The secrets that a code is compared with: the live one, unless failures disabled it, and the pending one, until
 * it expires.
 */
export function findSecrets(
  { totp, pendingTotp, otpDisabled }: IdentityState,
  now: number,
  purpose: Purpose = "login",
): Pick<IdentityState, "totp" | "pendingTotp"> {
  return {
    totp: otpDisabled || purpose === "confirm" ? null : totp,
    pendingTotp: pendingTotp !== null && now < pendingTotp.expiresAt ? pendingTotp : null,
  };
}

/**
 * The reason to refuse any code now; undefined if one may be evaluated.
 * @param device the known device that the code comes from: a lock is one of strangers
 */
export function findRefusal(
  state: IdentityState,
  method: Attempt["method"],
  now: number,
  purpose: Purpose = "login",
  device: KnownDevice | undefined = undefined,
): GuardError | undefined {
  if (state.status === "suspended") return { code: "user_suspended" };
  if (device === undefined && isLocked(state.lockout, now)) {
    return { code: "user_locked", lockedUntil: state.lockout.lockedUntil };
  }
  const { pendingTotp: pending } = findSecrets(state, now);
  if (state.otpDisabled && (pending === null || method === "backup_code")) {
    return { code: "otp_disabled", lockedUntil: null };
  }
  if (purpose === "confirm" && pending === null) return { code: "no_pending_enrolment" };
  const hasTotp = state.totp !== null || pending !== null;
  const hasFactor = hasTotp || (method === "backup_code" && state.backupCodes !== null);
  return hasFactor ? undefined : { code: "otp_not_configured" };
}

interface Evaluation {
  readonly accepted: boolean;
  /**
   * The reason for a rejection. Only `code_already_used` counts no failure, and the client receives it. For every
   * other reason the client receives `invalid_code`; only the trail has the reason itself.
   */
  readonly reason?: "invalid_code" | "replayed_code" | "spent_code" | "code_already_used";
  readonly change: Partial<IdentityState>;
  readonly confirmed?: boolean;
}

const alreadyUsed: Evaluation = { accepted: false, reason: "code_already_used", change: {} };

function evaluateTotp(
  state: IdentityState,
  evidence: TotpEvidence,
  now: number,
  purpose: Purpose,
): Evaluation | typeof stale {
  const { totp, pendingTotp: pending } = findSecrets(state, now, purpose);
  if (evidence.sealed !== (totp?.sealed ?? null)) return stale;
  if (evidence.pendingSealed !== (pending?.sealed ?? null)) return stale;
  const { step, pendingStep } = evidence;
  const last = totp?.lastTimeStep ?? null;
  if (totp !== null && step !== undefined && (last === null || step > last)) {
    return { accepted: true, change: { totp: createLiveSecret(totp.sealed, step, totp.id) } };
  }
  if (last !== null && state.lastMethod === "totp") {
    if (step !== last && evidence.lastTimeStep !== last) return stale;
    if (step === last || evidence.isLastCode) return alreadyUsed;
  }
  if (step !== undefined) return { accepted: false, reason: "replayed_code", change: {} };
  if (pending !== null && pendingStep !== undefined) {
    const switched = createLiveSecret(pending.sealed, pendingStep);
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
  const isSame = (stored: string) => timingSafeEqual(encodeUtf8(stored), encodeUtf8(hash));
  const isAmong = (hashes: readonly string[]) => hashes.filter(isSame).length > 0;
  if (isAmong(set.unspent)) {
    const unspent = set.unspent.filter((stored) => stored !== hash);
    const backupCodes = { ...set, unspent, spent: [...set.spent, hash] };
    return { accepted: true, change: { backupCodes } };
  }
  if (state.lastMethod === "backup_code" && isAmong(set.spent.slice(-1))) return alreadyUsed;
  const reason = isAmong(set.spent) ? "spent_code" : "invalid_code";
  return { accepted: false, reason, change: {} };
}

function accept(
  state: IdentityState,
  call: GuardCall,
  method: Attempt["method"],
  { change, confirmed }: Evaluation,
): Transition<Verified> {
  const { lastTimeStep: timeStep, id: secretId } = change.totp ?? {};
  const success: EventEntry = {
    ...{ action: "otp.verified", outcome: "success", details: { method } },
    ...(secretId === undefined || timeStep == null ? {} : { accepted: { secretId, timeStep } }),
  };
  const entries = [addSessionOf(success, call.session)];
  const removal = confirmed ? removeDevices(state, "otp_configured") : undefined;
  if (confirmed) entries.push({ action: "otp.confirmed", outcome: "success" });
  const remaining = change.backupCodes?.unspent.length;
  return applyChange(
    state,
    {
      ...change,
      ...removal?.change,
      lockout: noFailures,
      lastVerifiedAt: call.now,
      lastMethod: method,
      recent: addRecentAttempt(state, "success", call.now),
    },
    [...entries, ...(removal?.entries ?? [])],
    succeed({
      method,
      ...(remaining === undefined ? {} : { backupCodesRemaining: remaining }),
      ...(confirmed ? { enrolmentConfirmed: true as const } : {}),
    }),
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
  const ofDevices = countDeviceFailures(state);
  const failure = countFailure(state.lockout, policy, call.now, ofDevices);
  const { failedAttempts, locks, lockedUntil } = failure.state;
  const entries: EventEntry[] = [
    addSessionOf(
      {
        action: "otp.verified",
        outcome: "failure",
        reason,
        details: { method, failed_attempts: failedAttempts },
      },
      call.session,
    ),
  ];
  if (failure.locked) {
    entries.push({
      action: "user.locked",
      outcome: "success",
      reason: "too_many_failures",
      details: { locks, locked_until: new Date(lockedUntil ?? call.now).toISOString() },
    });
  }
  if (failure.disabled) entries.push(describeDisabling(failedAttempts + ofDevices));
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
      ...(failure.disabled ? { isDisabled: true } : {}),
    }),
    call.now,
  );
}

function evaluate(
  state: IdentityState,
  evidence: TotpEvidence | BackupCodeEvidence,
  now: number,
  purpose: Purpose,
): Evaluation | typeof stale {
  if (evidence.method === "totp") return evaluateTotp(state, evidence, now, purpose);
  // A backup code is no code of the pending secret. It is not spent.
  if (purpose === "confirm") return { accepted: false, reason: "invalid_code", change: {} };
  return evaluateBackupCode(state, evidence);
}

/** Accepts, rejects or refuses an attempt. */
export function verify(
  state: IdentityState,
  call: GuardCall,
  evidence: Evidence,
  policy: LockoutPolicy,
  purpose: Purpose = "login",
): Transition<Verified> | typeof stale {
  const { method } = evidence;
  const device = findDevice(state, call);
  const refusal = findRefusal(state, method, call.now, purpose, device);
  if (refusal !== undefined) return refuse(state, call, "otp.verified", refusal);
  if ("withheld" in evidence) return stale;
  const evaluation = evaluate(state, evidence, call.now, purpose);
  if (evaluation === stale) return stale;
  if (evaluation.accepted) return accept(state, call, method, evaluation);
  if (evaluation.reason === "code_already_used") {
    const attemptsRemaining =
      device === undefined
        ? countRemainingAttempts(state.lockout, policy, countDeviceFailures(state))
        : countDeviceAttempts(device, state, policy);
    return refuse(state, call, "otp.verified", { code: "code_already_used", attemptsRemaining });
  }
  const { reason = "invalid_code" } = evaluation;
  return device === undefined
    ? reject(state, call, method, reason, policy)
    : rejectOnDevice(state, call, { method, reason }, policy, device);
}
