/**
 * When the scheduled work of each trigger last ended. The rows are among the cursors of jobs, because they are the same
 * kind of note: one short text for each job, which a run replaces (decision 164).
 */
import { inArray } from "drizzle-orm";
import { awaitStore, type Database } from "./client.ts";
import { jobCursors } from "./tables.ts";

export const triggers = ["every_minute", "housekeeping", "data"] as const;
export type Trigger = (typeof triggers)[number];

const rowOf = (trigger: Trigger) => `ended_${trigger}`;

/** @param endedAt real time, Unix ms @throws StoreError */
export async function recordRun(db: Database, trigger: Trigger, endedAt: number): Promise<void> {
  const cursor = String(endedAt);
  await awaitStore(
    db
      .insert(jobCursors)
      .values({ job: rowOf(trigger), cursor })
      .onConflictDoUpdate({ target: jobCursors.job, set: { cursor } }),
  );
}

/** When a run of the trigger last ended, Unix ms; null if none has. @throws StoreError */
export async function findLastRuns(
  db: Database,
): Promise<readonly { readonly trigger: Trigger; readonly endedAt: number | null }[]> {
  const rows = await awaitStore(
    db
      .select()
      .from(jobCursors)
      .where(inArray(jobCursors.job, triggers.map(rowOf))),
  );
  const endedAt = new Map(rows.map(({ job, cursor }) => [job, Number(cursor)]));
  return triggers.map((trigger) => ({ trigger, endedAt: endedAt.get(rowOf(trigger)) ?? null }));
}
