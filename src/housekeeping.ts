/** Scheduled deletion of expired assessments, tombstones and request keys. */
import type { Database } from "./db/client.ts";
import { controlDbOf, listDatabases } from "./db/shards.ts";
import { deleteExpiredRequests } from "./idempotency/store.ts";
import { deleteExpiredTombstones } from "./identity/store.ts";
import { runJob } from "./job.ts";
import { purgeAssessments } from "./sentinel/assessments/store.ts";

type Purge = (db: Database, now: number) => Promise<void>;

/** Deletes what has expired, and never throws. @param now Unix ms */
export async function deleteExpired(env: Env, now: number): Promise<void> {
  const run = (source: string, db: Database, purge: Purge) =>
    runJob("tidy_up_failed", () => purge(db, now), { source });
  for (const db of listDatabases(env)) {
    await run("assessments", db, purgeAssessments);
    await run("tombstones", db, deleteExpiredTombstones);
  }
  await run("request_keys", controlDbOf(env), deleteExpiredRequests);
}
