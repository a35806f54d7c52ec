/** Scheduled deletion of expired assessments, tombstones and request keys. */
import type { Database } from "./db/client.ts";
import { controlDbOf, listDatabases } from "./db/shards.ts";
import { deleteExpiredRequests } from "./idempotency/store.ts";
import { deleteExpiredTombstones } from "./identity/store.ts";
import { runJob } from "./job.ts";
import { deleteExpiredAssessments } from "./sentinel/assessments/expire.ts";
import { deleteErasedAssessments } from "./sentinel/assessments/store.ts";
import { findAssessmentDays } from "./tenancy/find-retention.ts";

type Deletion = (db: Database, now: number) => Promise<void>;

/** Deletes what has expired, and never throws. @param now real time, Unix ms */
export async function deleteExpired(env: Env, now: number): Promise<void> {
  const run = (source: string, db: Database, deleteRows: Deletion) =>
    runJob("tidy_up_failed", () => deleteRows(db, now), { source });
  const deleteOldAssessments = (db: Database) =>
    deleteExpiredAssessments(db, now, (tenantIds) => findAssessmentDays(env, tenantIds));
  for (const db of listDatabases(env)) {
    await run("assessments", db, deleteOldAssessments);
    await run("erased_assessments", db, deleteErasedAssessments);
    await run("tombstones", db, deleteExpiredTombstones);
  }
  await run("request_keys", controlDbOf(env), deleteExpiredRequests);
}
