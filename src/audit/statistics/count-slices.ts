/** Counts consecutive leaves of several logs for the statistics. */
import type { Database } from "../../db/client.ts";
import { type CountedEvent, countEvents, type HourCounts, listUserHours } from "./count-events.ts";
import { findKnownPeriods } from "./store.ts";

/** Consecutive events of one log. */
export interface CountedSlice {
  readonly tenantId: string;
  /** The leaf index of the first event, or below it if leaves are missing. */
  readonly from: number;
  readonly events: readonly CountedEvent[];
}

/** Counts slices, each of another log. Asks D1 once. @returns the counts by tenant id @throws StoreError */
export async function countSlices(
  db: Database,
  slices: readonly CountedSlice[],
): Promise<Map<string, HourCounts[]>> {
  const known = await findKnownPeriods(
    db,
    slices.map(({ tenantId, from, events }) => ({
      tenantId,
      from,
      userHours: listUserHours(events),
    })),
  );
  return new Map(
    slices.map(({ tenantId, events }) => [
      tenantId,
      countEvents(events, known.get(tenantId) ?? new Map()),
    ]),
  );
}
