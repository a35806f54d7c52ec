/**
 * The types of every decision (pure): a call, and the transition that it leads to. The guard stores a
 * transition in one synchronous transaction.
 */
import type {
  AcceptedStep,
  AuditEntry,
  PersonalParts,
  RequestActor,
  SealedParts,
} from "../../audit/event.ts";
import type { Owner } from "../../crypto/seal-context.ts";
import type { ErrorCode } from "../../errors.ts";
import type { FirstRequest, RequestKey } from "../../idempotency/request-key.ts";
import type { PasskeyClaim } from "../../identity/passkey-claim.ts";
import type { Jurisdiction } from "../../location.ts";
import type { PasskeyReason } from "../../passkeys/passkey.ts";
import type { DecidedAssessment, VerdictRecord } from "../../sentinel/assessment.ts";
import type { History } from "../../sentinel/history.ts";
import type { DeviceRequest } from "./device-state.ts";
import type { AttemptSession, IdentityState, RateKind, RecentAttempt } from "./state.ts";

/** What every call of a guard carries. Its owner is the identity that the guard is for. */
export interface GuardCall extends Owner {
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly now: number;
  readonly requestId: string;
  readonly actor: RequestActor;
  /** The tenant's jurisdiction. A guard in a jurisdiction delivers to D1 directly, never through the queue. */
  readonly jurisdiction: Jurisdiction | null;
  /** The ids of the tenant's enabled destinations, which are woken once D1 has the events; absent if there are none. */
  readonly destinations?: readonly string[];
  /** From the request's `Idempotency-Key`; null without one. */
  readonly requestKey: RequestKey | null;
  /** The sealed receipt to keep with the answer, when the request has a key. */
  readonly receipt?: string;
  /** The session of an attempt, if the request names one. */
  readonly session?: AttemptSession;
  /** What the request says of its device; absent if it says nothing. */
  readonly device?: DeviceRequest;
  /** What the event says of persons, sealed before the decision, so that the guard stores no address in clear. */
  readonly sealedSession?: SealedSession;
}

/** The parts of a session that name a person, and the same in a box with the other personal parts of the event. */
export interface SealedSession {
  readonly session: Pick<PersonalParts, "address" | "agent">;
  readonly parts: SealedParts;
}

/** An audit entry. Its time, actor and request are those of the call unless it names others. */
export interface EventEntry extends AuditEntry {
  readonly at?: number;
  readonly actor?: RequestActor;
  readonly requestId?: string;
  /** The session that the event is about. */
  readonly session?: Pick<PersonalParts, "address" | "agent">;
  /** What an accepted code has spent. */
  readonly accepted?: AcceptedStep;
}

/** An error as it crosses RPC: a value, never an exception. Times are Unix ms. */
export interface GuardError {
  readonly code: ErrorCode;
  readonly attemptsRemaining?: number;
  readonly lockedUntil?: number | null;
  /** This failure disabled TOTP. */
  readonly isDisabled?: boolean;
  readonly retryAfterSeconds?: number;
  /** Why a passkey was not accepted, and the same in a sentence. */
  readonly reason?: PasskeyReason;
  readonly detail?: string;
  /** Of a passkey that the identity does not have. */
  readonly credentialId?: string;
}

/** The remaining quota of a rate limit, as the answer reports it. */
export interface Rate {
  readonly name: RateKind;
  /** Requests that a window allows. */
  readonly requests: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Seconds until the window ends. */
  readonly resetSeconds: number;
}

/** What comes with a result: it becomes headers of the response. */
export interface GuardNotice {
  readonly rate?: Rate;
  /** The request that got this answer first. Set when the answer is replayed. */
  readonly first?: FirstRequest;
}

export type GuardResult<T> = GuardNotice &
  ({ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: GuardError });

export interface Transition<T> {
  readonly state: IdentityState;
  readonly entries: readonly EventEntry[];
  readonly result: GuardResult<T>;
  /** The identity's sessions, when they change. */
  readonly history?: History;
  /** For D1, together with the events. */
  readonly assessment?: DecidedAssessment;
  readonly verdict?: VerdictRecord;
  /** Claims of passkeys that the identity no longer has. D1 releases them. */
  readonly releasedClaims?: readonly PasskeyClaim[];
}

const recentWindowMs = 60 * 60 * 1000;
const maxRecent = 100;

/** Adds an attempt to those of the last hour. The newest hundred are kept. */
export function addRecentAttempt(
  state: IdentityState,
  kind: RecentAttempt["kind"],
  now: number,
  isOnDevice = false,
): readonly RecentAttempt[] {
  const fresh = state.recent.filter(({ at }) => at > now - recentWindowMs && at <= now);
  const added = { at: now, kind, ...(isOnDevice ? { onDevice: true as const } : {}) };
  return [...fresh, added].slice(-maxRecent);
}

export function succeed<T>(value: T): GuardResult<T> {
  return { ok: true, value };
}

export function fail<T>(error: GuardError): GuardResult<T> {
  return { ok: false, error };
}
