/**
 * The decision on one code (pure). Keys and time are needed only to gather the evidence, which happens before.
 * The decision compares the evidence with the present state.
 */

import { encodeUtf8 } from "../../crypto/bytes.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import type { LockoutPolicy } from "../../tenancy/policy.ts";
import {
  dropPending,
  isLive,
  listAuthenticators,
  lockoutForNewSecret,
  nameInEvent,
} from "./authenticators.ts";
import { countDeviceAttempts, describeDisabling, rejectOnDevice } from "./device-failure.ts";
import type { KnownDevice } from "./device-state.ts";
import { type AddedDevice, countDeviceFailures, findDevice, removeDevices } from "./devices.ts";
import { evaluateTotp, type TotpEvidence } from "./evaluate-totp.ts";
import {
  type Attempt,
  alreadyUsed,
  describeRejection,
  type Evaluation,
  type Purpose,
  stale,
} from "./evaluation.ts";
import type { AddedRisk } from "./feedback.ts";
import { countFailure, countRemainingAttempts, isLocked, noFailures } from "./lockout.ts";
import { addSessionOf, applyChange, refuse } from "./refusals.ts";
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

/** What was computed about an attempt, with the stored values that it was computed from. */
export type Evidence =
  | TotpEvidence
  | {
      readonly method: "backup_code";
      /** The key version of the set that the hash was computed for; null without a set. */
      readonly keyVersion: number | null;
      /** The recipes of the set, if it was imported. */
      readonly recipes: readonly string[];
      /** What the code would be stored as: one hash, or several if the set was imported. */
      readonly hashes: readonly string[];
    }
  | {
      /** Nothing was computed, because a rule forbade the attempt. */
      readonly method: Attempt["method"];
      readonly withheld: true;
    };
type BackupCodeEvidence = Extract<Evidence, { readonly hashes: unknown }>;

export interface Verified extends AddedRisk, AddedDevice {
  readonly method: Attempt["method"];
  /** Set after a backup code. */
  readonly backupCodesRemaining?: number;
  /** Set when the code made a pending secret live. */
  readonly enrolmentConfirmed?: true;
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
  const secrets = listAuthenticators(state, now);
  const hasPending = !secrets.every(isLive);
  if (state.otpDisabled && (!hasPending || method === "backup_code")) {
    return { code: "otp_disabled", lockedUntil: null };
  }
  if (purpose === "confirm" && !hasPending) return { code: "no_pending_enrolment" };
  const hasFactor = secrets.length > 0 || (method === "backup_code" && state.backupCodes !== null);
  return hasFactor ? undefined : { code: "otp_not_configured" };
}

function evaluateBackupCode(
  state: IdentityState,
  evidence: BackupCodeEvidence,
): Evaluation | typeof stale {
  const set = state.backupCodes;
  const recipes = set?.imported?.recipes ?? [];
  const isSameSet =
    evidence.keyVersion === (set?.keyVersion ?? null) &&
    String(evidence.recipes) === String(recipes);
  if (!isSameSet) return stale;
  if (set === null) return { accepted: false, reason: "invalid_code", change: {} };
  const isCode = (stored: string) =>
    evidence.hashes.filter((hash) => timingSafeEqual(encodeUtf8(stored), encodeUtf8(hash))).length >
    0;
  const [spending] = set.unspent.filter(isCode);
  if (spending !== undefined) {
    const unspent = set.unspent.filter((stored) => stored !== spending);
    const backupCodes = { ...set, unspent, spent: [...set.spent, spending] };
    return { accepted: true, change: { backupCodes } };
  }
  const isAmong = (hashes: readonly string[]) => hashes.filter(isCode).length > 0;
  if (state.lastMethod === "backup_code" && isAmong(set.spent.slice(-1))) return alreadyUsed;
  const reason = isAmong(set.spent) ? "spent_code" : "invalid_code";
  return { accepted: false, reason, change: {} };
}

function accept(
  state: IdentityState,
  call: GuardCall,
  method: Attempt["method"],
  { change, confirmed, authenticator }: Evaluation,
): Transition<Verified> {
  const named = authenticator === undefined ? {} : nameInEvent(authenticator);
  // D1 reads the time step of the primary secret from the event. For the others, it has the record.
  const { lastTimeStep: timeStep, id: secretId } =
    authenticator?.isPrimary === true ? (change.totp ?? {}) : {};
  const success: EventEntry = {
    action: "otp.verified",
    outcome: "success",
    details: { method, ...named },
    ...(secretId === undefined || timeStep == null ? {} : { accepted: { secretId, timeStep } }),
  };
  const entries = [addSessionOf(success, call.session)];
  if (confirmed) {
    const confirmation = { action: "otp.confirmed", outcome: "success" } as const;
    entries.push(
      authenticator?.isPrimary === false ? { ...confirmation, details: named } : confirmation,
    );
  }
  // The success takes back the failures of strangers; those of removed devices stay counted. If TOTP is disabled, the
  // code is one of a pending secret.
  const { devices } = state;
  const before = { devices, lockout: noFailures };
  const removal = removeDevices(before, "otp_configured", () => confirmed === true);
  const remaining = change.backupCodes?.unspent.length;
  return applyChange(
    state,
    {
      ...change,
      ...removal.change,
      lockout: lockoutForNewSecret({ ...state, ...removal.change }),
      lastVerifiedAt: call.now,
      lastMethod: method,
      recent: addRecentAttempt(state, "success", call.now),
    },
    [...entries, ...removal.entries],
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
  evaluation: Evaluation,
  policy: LockoutPolicy,
): Transition<Verified> {
  const ofDevices = countDeviceFailures(state);
  const failure = countFailure(state.lockout, policy, call.now, ofDevices);
  const { failedAttempts, locks, lockedUntil } = failure.state;
  const { reason, clock } = describeRejection(evaluation);
  const details = { method, failed_attempts: failedAttempts, ...clock };
  const entries: EventEntry[] = [
    addSessionOf({ action: "otp.verified", outcome: "failure", reason, details }, call.session),
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
      ...(failure.disabled ? dropPending(state) : {}),
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
  return device === undefined
    ? reject(state, call, method, evaluation, policy)
    : rejectOnDevice(state, call, method, evaluation, policy, device);
}
