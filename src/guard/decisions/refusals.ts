/**
 * Refused attempts (pure). The first of a run has its audit event at once. Those after it are counted and
 * reported together, with growing delays, so that a flood cannot fill the trail. In a guard, a change that
 * is applied ends all runs.
 */
import type { AuditAction, RequestActor } from "../../audit/event.ts";
import type { AttemptSession, IdentityState, RefusableAction, RefusalRun } from "./state.ts";
import {
  addRecentAttempt,
  type EventEntry,
  fail,
  type GuardCall,
  type GuardError,
  type GuardResult,
  type Transition,
} from "./transition.ts";

const minReportDelayMs = 5_000;
const maxReportDelayMs = 60 * 60 * 1000;
/**
 * Up to this number of runs, each actor has its own. Above it, actors share runs, and a run reports only its
 * last actor.
 */
const maxGuardRuns = 16;

/** One refused attempt, or several of one kind and actor that were counted elsewhere. */
export interface Refusal {
  readonly action: AuditAction;
  readonly reason: string;
  readonly route?: string;
  readonly count: number;
  readonly at: number;
  readonly actor: RequestActor;
  readonly requestId: string;
  readonly session?: AttemptSession;
}

/** Adds what is known of the session: the assessment to the details, and the personal parts. */
export function addSessionOf(entry: EventEntry, session: AttemptSession | undefined): EventEntry {
  if (session === undefined) return entry;
  const { assessmentId, ...shown } = session;
  const details =
    assessmentId === undefined
      ? {}
      : { details: { ...entry.details, assessment_id: assessmentId } };
  return { ...entry, ...details, session: shown };
}

export function buildRefusalEntry(run: RefusalRun, count: number): EventEntry {
  const entry: EventEntry = {
    action: run.action,
    outcome: "refused",
    reason: run.reason,
    details: run.route === undefined ? { count } : { route: run.route, count },
    at: run.lastAt,
    actor: run.lastActor,
    requestId: run.lastRequestId,
  };
  return addSessionOf(entry, run.lastSession);
}

export function hasUnreported({ unreported }: RefusalRun): boolean {
  return unreported > 0;
}

/** How long a run may count before it reports, ms: 5 s at first, then twice as long each time, up to 1 h. */
export function reportDelayOf({ reports }: RefusalRun): number {
  return Math.min(maxReportDelayMs, minReportDelayMs * 2 ** (reports - 1));
}

/** The run without the session that an event has reported. */
export function omitSession<Run extends RefusalRun>(run: Run): Omit<Run, "lastSession"> {
  const { lastSession: _lastSession, ...rest } = run;
  return rest;
}

/** The run after a report. */
export function markReported<Run extends RefusalRun>(run: Run): Omit<Run, "lastSession"> {
  return { ...omitSession(run), unreported: 0, reports: run.reports + 1 };
}

/**
 * Counts a refusal in its run.
 * @param maxRuns from this number of runs on, a new actor joins a run of the same kind
 * @returns the new run; the run that it continues (undefined if the refusal starts one, and must be
 *   reported at once); and the other runs
 */
export function countRefusal<Run extends RefusalRun>(
  runs: readonly Run[],
  { action, reason, route, count, at, actor, requestId, session }: Refusal,
  maxRuns: number,
): { readonly run: RefusalRun; readonly known: Run | undefined; readonly others: readonly Run[] } {
  const ofKind = runs.filter(
    (run) => run.action === action && run.reason === reason && run.route === route,
  );
  const known =
    ofKind.find(({ lastActor }) => lastActor.id === actor.id) ??
    (runs.length >= maxRuns ? ofKind[0] : undefined);
  const run: RefusalRun = {
    action,
    reason,
    ...(route === undefined ? {} : { route }),
    unreported: known === undefined ? 0 : known.unreported + count,
    reports: known?.reports ?? 1,
    lastAt: at,
    // Without the person: one run counts what several persons attempted.
    lastActor: { type: actor.type, id: actor.id },
    lastRequestId: requestId,
    ...(session === undefined ? {} : { lastSession: session }),
  };
  return { run, known, others: runs.filter((other) => other !== known) };
}

function findUnreportedRuns(state: IdentityState): readonly RefusalRun[] {
  return state.refusals.filter(hasUnreported);
}

function buildRefusalEntries(state: IdentityState): readonly EventEntry[] {
  return findUnreportedRuns(state).map((run) => buildRefusalEntry(run, run.unreported));
}

/** When the next report of counted refusals is due, in ms from now; undefined if there is none. */
export function refusalReportDelayOf(state: IdentityState): number | undefined {
  const delays = findUnreportedRuns(state).map(reportDelayOf);
  return delays.length === 0 ? undefined : Math.min(...delays);
}

/** Reports the counted refusals. The runs continue. */
export function reportRefusals(state: IdentityState): Transition<void> {
  const refusals = state.refusals.map((run) => (hasUnreported(run) ? markReported(run) : run));
  return {
    state: { ...state, refusals },
    entries: buildRefusalEntries(state),
    result: { ok: true, value: undefined },
  };
}

function isAttempt(action: RefusableAction): boolean {
  return action === "otp.verified" || action === "passkey.verified";
}

/** Refuses a request. Of the security state only the count of refusals changes. */
export function refuse<T>(
  state: IdentityState,
  call: GuardCall,
  action: RefusableAction,
  error: GuardError,
): Transition<T> {
  const { now: at, actor, requestId, session } = call;
  const refusal = {
    action,
    reason: error.reason ?? error.code,
    count: 1,
    at,
    actor,
    requestId,
    ...(session === undefined ? {} : { session }),
  };
  const { run, known, others } = countRefusal(state.refusals, refusal, maxGuardRuns);
  return {
    state: {
      ...state,
      refusals: [...others, known === undefined ? omitSession(run) : run],
      recent: isAttempt(action) ? addRecentAttempt(state, "refused", at) : state.recent,
    },
    entries: known === undefined ? [{ ...buildRefusalEntry(run, 1), actor }] : [],
    result: fail(error),
  };
}

/** Applies a change. Counted refusals are reported before it, so the trail is in order. */
export function applyChange<T>(
  before: IdentityState,
  change: Partial<IdentityState>,
  entries: readonly EventEntry[],
  result: GuardResult<T>,
  now: number,
): Transition<T> {
  return {
    state: { ...before, ...change, refusals: [], updatedAt: now },
    entries: [...buildRefusalEntries(before), ...entries],
    result,
  };
}
