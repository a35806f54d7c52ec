/**
 * What every change in a guard has in common (pure): a new state, the events that tell of it, and
 * the answer. The guard runs a transition and stores all of it in one synchronous transaction.
 */
import type { Actor, AuditEntry, PersonalParts } from "../../audit/event.ts";
import type { ErrorCode } from "../../errors.ts";
import type { FirstRequest, RequestKey } from "../../idempotency/request-key.ts";
import type { Jurisdiction } from "../../location.ts";
import type { AssessmentRecord, VerdictRecord } from "../../sentinel/assessment.ts";
import type { History } from "../../sentinel/history.ts";
import type { IdentityState, RateKind, RecentAttempt } from "./state.ts";

/** Who asks, when, for whom: the same for every call of a guard. */
export interface GuardCall {
  readonly tenantId: string;
  readonly identityId: string;
  /** Unix ms; the tenant's test clock where one was sent. */
  readonly now: number;
  readonly requestId: string;
  readonly actor: Actor;
  /** The tenant's; what a guard in one delivers leaves it for D1 only. */
  readonly jurisdiction: Jurisdiction | null;
  /** Of the request's `Idempotency-Key`; null without one. */
  readonly requestKey: RequestKey | null;
  /** Kept with the answer, in the transaction of the change, where the request has a key. */
  readonly receipt?: string;
}

/** An audit entry that may name another time, actor and request than the call that files it. */
export interface EventEntry extends AuditEntry {
  readonly at?: number;
  readonly actor?: Actor;
  readonly requestId?: string;
  /** What the event holds of a person, besides the external_id. */
  readonly session?: Omit<PersonalParts, "external_id">;
}

/** An error as it crosses RPC: a value, never an exception. Times are Unix ms. */
export interface GuardError {
  readonly code: ErrorCode;
  readonly attemptsRemaining?: number;
  readonly lockedUntil?: number | null;
  readonly retryAfterSeconds?: number;
}

/** What is left of a window, as it is told with the answer. */
export interface Rate {
  readonly name: RateKind;
  /** Requests in a window. */
  readonly requests: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  /** Until the window ends. */
  readonly resetSeconds: number;
}

/** What an answer says besides. */
interface GuardNotice {
  readonly rate?: Rate;
  /** Set where an earlier request had this answer, and this one changed nothing. */
  readonly first?: FirstRequest;
}

export type GuardResult<T> = GuardNotice &
  ({ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: GuardError });

export interface Transition<T> {
  readonly state: IdentityState;
  readonly entries: readonly EventEntry[];
  readonly result: GuardResult<T>;
  /** The sessions the identity is known by, where they change. */
  readonly history?: History;
  /** What D1 hears of sessions, besides the events. */
  readonly assessment?: AssessmentRecord;
  readonly verdict?: VerdictRecord;
}

const recentWindowMs = 60 * 60 * 1000;
const maxRecent = 100;

/** The attempts of the last hour with this one added; the newest hundred at most. */
export function addRecentAttempt(
  state: IdentityState,
  kind: RecentAttempt["kind"],
  now: number,
): readonly RecentAttempt[] {
  const fresh = state.recent.filter(({ at }) => at > now - recentWindowMs && at <= now);
  return [...fresh, { at: now, kind }].slice(-maxRecent);
}

export function succeed<T>(value: T): GuardResult<T> {
  return { ok: true, value };
}

export function fail<T>(error: GuardError): GuardResult<T> {
  return { ok: false, error };
}
