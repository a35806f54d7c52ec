/** What a run of a follower works with, and what the runs of webhooks and streams share. */
import { log } from "../log.ts";
import { compareWithAnchor, type FollowerState, moveCursor } from "./advance.ts";
import type { Anchor } from "./anchors.ts";
import type { StoredDestination } from "./destination.ts";
import type { FollowerStorage } from "./follower-storage.ts";
import type { LogReader } from "./read-log.ts";
import type { LogEvent } from "./request/log-event.ts";

/** A run ends after this time, so that what the tenant changes meanwhile is read soon. */
const maxRunMs = 60_000;
/** The platform limits the requests of a run. */
export const maxSendsPerRun = 200;

export interface Run {
  readonly storage: FollowerStorage;
  readonly log: LogReader;
  readonly destination: StoredDestination;
  /** Whether the tenant is in test mode. */
  readonly isTest: boolean;
  /** Whether the tenant has not changed the destination since the run has read it. */
  readonly isCurrent: () => boolean;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly startedAt: number;
  /** How many more requests the run may send. */
  sendsLeft: number;
}

/** Whether the run may go on: it has time and requests left, and the destination is neither changed nor being disabled. */
export function mayGoOn(run: Run): boolean {
  const isInTime = Date.now() - run.startedAt < maxRunMs;
  return isInTime && run.sendsLeft > 0 && run.isCurrent() && readState(run).disabling === null;
}

export function readState({ storage }: Run): FollowerState {
  const state = storage.readState();
  if (state === undefined) throw new Error("The follower has no state");
  return state;
}

export function anchorOf({ leafIndex, event }: LogEvent): Anchor {
  return { leafIndex, id: event.id };
}

/**
 * Reads the events at the cursor. If D1 was restored to an earlier time, so that the leaves that the follower has
 * passed belong to other events now, the cursor goes back to the last event that is still there.
 * @returns the events from the cursor on, or those of the batch that is being sent; empty if there are none @throws StoreError
 */
export async function readNext(run: Run): Promise<LogEvent[]> {
  const { cursor, sendingBelow } = readState(run);
  const below = sendingBelow === null ? {} : { below: sendingBelow };
  const page = await run.log.read({ from: Math.max(0, cursor - 1), ...below });
  const continuity = compareWithAnchor(readState(run), page.map(anchorOf));
  const isCutOff = continuity === "unknown" && (await run.log.findEnd()) < cursor;
  if (continuity === "replaced" || isCutOff) {
    await goBack(run);
    return await readNext(run);
  }
  return page.filter(({ leafIndex }) => leafIndex >= cursor);
}

/** Finds the newest anchor that is still in the log. @throws StoreError */
async function findAnchor(run: Run): Promise<Anchor | undefined> {
  for (const anchor of readState(run).anchors) {
    const { leafIndex, id } = anchor;
    const [found] = await run.log.read({ from: leafIndex, below: leafIndex + 1 });
    if (found?.event.id === id) return anchor;
  }
  return undefined;
}

/** Sets the cursor behind the newest anchor that is still in the log. @throws StoreError */
async function goBack(run: Run): Promise<void> {
  const { storage, destination } = run;
  const [anchor, end] = await Promise.all([findAnchor(run), run.log.findEnd()]);
  const target = anchor === undefined ? Math.min(destination.startLeaf, end) : anchor.leafIndex + 1;
  const { tenantId, kind } = destination;
  const state = readState(run);
  const count = state.cursor - target;
  log("warn", "destination_went_back", { tenant_id: tenantId, source: kind, count });
  storage.transact(() => {
    const moved = moveCursor(state, target);
    storage.writeState(anchor === undefined ? { ...moved, anchors: [] } : moved);
    storage.removeWaitingFrom(target);
  });
}
