/**
 * Refused attempts (pure). The first of a run is told at once; the ones after it are counted and
 * told together, ever more rarely, so that a flood can neither drown the trail nor grow it without
 * bound. In a guard, a change that is carried out ends all runs.
 */
import type { Actor, AuditAction } from "../../audit/event.ts";
import type { IdentityState, RefusableAction, RefusalRun } from "./state.ts";
import {
  type EventEntry,
  fail,
  type GuardCall,
  type GuardError,
  type GuardResult,
  type Transition,
  addRecentAttempt,
} from "./transition.ts";

const minReportDelayMs = 5_000;
const maxReportDelayMs = 60 * 60 * 1000;
/** Each actor has runs of its own, up to so many; then a run is told as that of its last actor. */
const maxRuns = 16;

/** Refused attempts of one kind and actor: one, or several that were counted before. */
export interface Refusal {
  readonly action: AuditAction;
  readonly reason: string;
  readonly route?: string;
  readonly count: number;
  readonly at: number;
  readonly actor: Actor;
  readonly requestId: string;
}

export function buildRefusalEntry(run: RefusalRun, count: number): EventEntry {
  return {
    action: run.action,
    outcome: "refused",
    reason: run.reason,
    details: run.route === undefined ? { count } : { route: run.route, count },
    at: run.lastAt,
    actor: run.lastActor,
    requestId: run.lastRequestId,
  };
}

/** Whether it has counted what is not told yet. */
export function hasUnreported({ unreported }: RefusalRun): boolean {
  return unreported > 0;
}

/** How long what a run counted may wait, ms. */
export function reportDelayOf({ reports }: RefusalRun): number {
  return Math.min(maxReportDelayMs, minReportDelayMs * 2 ** (reports - 1));
}

/** The run after what it counted was told. */
export function markReported<Run extends RefusalRun>(run: Run): Run {
  return { ...run, unreported: 0, reports: run.reports + 1 };
}

/**
 * Counts a refusal into its run.
 * @param most runs from which on a new actor joins one of the same kind
 * @returns the run as it is now, the one it goes on (undefined: it begins, and is told at once), and
 *   the others
 */
export function countRefusal<Run extends RefusalRun>(
  runs: readonly Run[],
  { action, reason, route, count, at, actor, requestId }: Refusal,
  most: number,
): { readonly run: RefusalRun; readonly known: Run | undefined; readonly others: readonly Run[] } {
  const ofKind = runs.filter(
    (run) => run.action === action && run.reason === reason && run.route === route,
  );
  const known =
    ofKind.find(({ lastActor }) => lastActor.id === actor.id) ??
    (runs.length >= most ? ofKind[0] : undefined);
  const run: RefusalRun = {
    action,
    reason,
    ...(route === undefined ? {} : { route }),
    unreported: known === undefined ? 0 : known.unreported + count,
    reports: known?.reports ?? 1,
    lastAt: at,
    lastActor: actor,
    lastRequestId: requestId,
  };
  return { run, known, others: runs.filter((other) => other !== known) };
}

function findUnreportedRuns(state: IdentityState): readonly RefusalRun[] {
  return state.refusals.filter(hasUnreported);
}

function buildRefusalEntries(state: IdentityState): readonly EventEntry[] {
  return findUnreportedRuns(state).map((run) => buildRefusalEntry(run, run.unreported));
}

/** How long the guard may wait before it tells what it counted, ms; undefined: nothing waits. */
export function refusalReportDelayOf(state: IdentityState): number | undefined {
  const delays = findUnreportedRuns(state).map(reportDelayOf);
  return delays.length === 0 ? undefined : Math.min(...delays);
}

/** Tells what was counted; the runs go on. */
export function reportRefusals(state: IdentityState): Transition<void> {
  const refusals = state.refusals.map((run) => (hasUnreported(run) ? markReported(run) : run));
  return {
    state: { ...state, refusals },
    entries: buildRefusalEntries(state),
    result: { ok: true, value: undefined },
  };
}

/** Refuses: nothing of the security state changes but the count. */
export function refuse<T>(
  state: IdentityState,
  call: GuardCall,
  action: RefusableAction,
  error: GuardError,
): Transition<T> {
  const { now: at, actor, requestId } = call;
  const refusal = { action, reason: error.code, count: 1, at, actor, requestId };
  const { run, known, others } = countRefusal(state.refusals, refusal, maxRuns);
  return {
    state: {
      ...state,
      refusals: [...others, run],
      recent: action === "otp.verified" ? addRecentAttempt(state, "refused", at) : state.recent,
    },
    entries: known === undefined ? [buildRefusalEntry(run, 1)] : [],
    result: fail(error),
  };
}

/** A change that is carried out. What was refused before it is told first, so the trail is in order. */
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
