/** Scheduled deletion of expired assessments, tombstones and request keys, and of tokens that ended long ago. */
import type { Database } from "./db/client.ts";
import { controlDbOf, listDatabases } from "./db/shards.ts";
import { deleteExpiredRequests } from "./idempotency/store.ts";
import { deleteExpiredTombstones } from "./identity/store.ts";
import { runJob } from "./job.ts";
import { deleteExpiredAssessments } from "./sentinel/assessments/store.ts";
import { deleteEndedTokens } from "./tenancy/token-store.ts";

type Deletion = (db: Database, now: number) => Promise<void>;

/** Deletes what has expired, and never throws. @param now Unix ms */
export async function deleteExpired(env: Env, now: number): Promise<void> {
  const run = (source: string, db: Database, deleteRows: Deletion) =>
    runJob("tidy_up_failed", () => deleteRows(db, now), { source });
  for (const db of listDatabases(env)) {
    await run("assessments", db, deleteExpiredAssessments);
    await run("tombstones", db, deleteExpiredTombstones);
  }
  await run("request_keys", controlDbOf(env), deleteExpiredRequests);
  await run("api_tokens", controlDbOf(env), deleteEndedTokens);
}
