/**
 * Requests that read the trail (pure). The log counts those of an API token for an hour from the first one on, and then
 * reports them in one event.
 */
import type { Actor } from "../../audit/event.ts";
import type { EventEntry } from "../decisions/transition.ts";

/** From the first read on. */
const reportDelayMs = 60 * 60 * 1000;
/** From this number of runs on, reads of a new token join the oldest run, whose event names the last token. */
const maxRuns = 64;

/** Several reads of one token. */
export interface TrailRead {
  readonly count: number;
  /** When the last one was, Unix ms. */
  readonly at: number;
  readonly actor: Actor;
  readonly requestId: string;
}

/** The reads of one token that no event has reported. */
export interface ReadRun extends TrailRead {
  /** Real time of the first one, Unix ms. */
  readonly since: number;
}

/** @param now real time, Unix ms @returns the runs, the newest last */
export function countRead(
  runs: readonly ReadRun[],
  read: TrailRead,
  now: number,
): readonly ReadRun[] {
  const known =
    runs.find(({ actor }) => actor.id === read.actor.id) ??
    (runs.length >= maxRuns ? runs[0] : undefined);
  const run = {
    ...read,
    count: (known?.count ?? 0) + read.count,
    since: known?.since ?? now,
  };
  return known === undefined ? [...runs, run] : runs.map((one) => (one === known ? run : one));
}

/** When the run must be reported, real time, Unix ms. */
export function readReportTimeOf({ since }: ReadRun): number {
  return since + reportDelayMs;
}

export function buildReadEntry({ count, at, actor, requestId }: ReadRun) {
  const outcome = "success";
  const entry = {
    action: "audit.read",
    outcome,
    details: { count },
    at,
    actor,
    requestId,
  } as const;
  return entry satisfies EventEntry;
}
