/**
 * Refused attempts (pure). The first of a run is told at once; the ones after it are counted and
 * told together, ever more rarely, so that a flood can neither drown the trail nor grow it without
 * bound. A change that is carried out ends all runs.
 */
import type { IdentityState, RefusableAction, RefusalRun } from "./state.ts";
import {
  type FiledEntry,
  failed,
  type GuardCall,
  type GuardError,
  type GuardResult,
  type Transition,
  withRecent,
} from "./transition.ts";

const firstReportDelayMs = 5_000;
const longestReportDelayMs = 60 * 60 * 1000;
/** Each actor has runs of its own, up to so many; then a run is told as that of its last actor. */
const mostRuns = 16;

function entryOf(run: RefusalRun, count: number): FiledEntry {
  return {
    action: run.action,
    outcome: "refused",
    reason: run.reason,
    details: { count },
    at: run.lastAt,
    actor: run.lastActor,
    requestId: run.lastRequestId,
  };
}

/** What was counted and not told yet. */
function waiting(state: IdentityState): readonly RefusalRun[] {
  return state.refusals.filter(({ unreported }) => unreported > 0);
}

function reportedRefusals(state: IdentityState): readonly FiledEntry[] {
  return waiting(state).map((run) => entryOf(run, run.unreported));
}

/** How long the guard may wait before it tells what it counted, ms; undefined: nothing waits. */
export function refusalReportDelay(state: IdentityState): number | undefined {
  const delays = waiting(state).map(({ reports }) => firstReportDelayMs * 2 ** (reports - 1));
  return delays.length === 0 ? undefined : Math.min(longestReportDelayMs, ...delays);
}

/** Tells what was counted; the runs go on. */
export function reportRefusals(state: IdentityState): Transition<void> {
  const refusals = state.refusals.map((run) =>
    run.unreported === 0 ? run : { ...run, unreported: 0, reports: run.reports + 1 },
  );
  return {
    state: { ...state, refusals },
    entries: reportedRefusals(state),
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
  const ofKind = state.refusals.filter((run) => run.action === action && run.reason === error.code);
  const known =
    ofKind.find(({ lastActor }) => lastActor.id === call.actor.id) ??
    (state.refusals.length >= mostRuns ? ofKind[0] : undefined);
  const run: RefusalRun = {
    action,
    reason: error.code,
    unreported: known === undefined ? 0 : known.unreported + 1,
    reports: known?.reports ?? 1,
    lastAt: call.now,
    lastActor: call.actor,
    lastRequestId: call.requestId,
  };
  return {
    state: {
      ...state,
      refusals: [...state.refusals.filter((other) => other !== known), run],
      recent: action === "otp.verified" ? withRecent(state, "refused", call.now) : state.recent,
    },
    entries: known === undefined ? [entryOf(run, 1)] : [],
    result: failed(error),
  };
}

/** A change that is carried out. What was refused before it is told first, so the trail is in order. */
export function carriedOut<T>(
  before: IdentityState,
  change: Partial<IdentityState>,
  entries: readonly FiledEntry[],
  result: GuardResult<T>,
  now: number,
): Transition<T> {
  return {
    state: { ...before, ...change, refusals: [], updatedAt: now },
    entries: [...reportedRefusals(before), ...entries],
    result,
  };
}
