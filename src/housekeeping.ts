/**
 * Scheduled deletion of expired assessments, tombstones and request keys, and of tokens that ended long ago,
 * and care for the space of databases.
 */
import { deleteArchivedSuccesses } from "./audit/statistics/store.ts";
import type { Database } from "./db/client.ts";
import {
  alarmPercent,
  measureDatabase,
  usedPercentOf,
  warningPercent,
} from "./db/database-size.ts";
import { requireMigrations } from "./db/migrations.ts";
import { controlDbOf, listDatabases } from "./db/shards.ts";
import { addToReserve, planReserve } from "./db/space-reserve.ts";
import { requireConfig } from "./env.ts";
import { deleteExpiredRequests } from "./idempotency/store.ts";
import { deleteExpiredTombstones } from "./identity/store.ts";
import { runJob } from "./job.ts";
import { log } from "./log.ts";
import { deleteExpiredAssessments } from "./sentinel/assessments/expire.ts";
import { deleteErasedAssessments } from "./sentinel/assessments/expired-store.ts";
import { findAssessmentDays } from "./tenancy/find-retention.ts";
import { deleteEndedTokens } from "./tenancy/token-store.ts";

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
    await run("archived_successes", db, deleteArchivedSuccesses);
  }
  await run("request_keys", controlDbOf(env), deleteExpiredRequests);
  await run("api_tokens", controlDbOf(env), deleteEndedTokens);
}

/** Logs which databases are nearly full, and fills their space reserves. Never throws. */
export async function maintainSpace(env: Env): Promise<void> {
  for (const [shard, db] of listDatabases(env).entries()) {
    const maintain = async () => {
      const { maxDatabaseBytes } = requireConfig(env);
      await requireMigrations(db, shard);
      const size = await measureDatabase(db);
      const percent = usedPercentOf(size, maxDatabaseBytes);
      if (percent >= warningPercent) {
        log(percent >= alarmPercent ? "error" : "warn", "database_nearly_full", { shard, percent });
      }
      const chunks = planReserve(size, maxDatabaseBytes);
      if (chunks > 0) await addToReserve(db, chunks);
    };
    await runJob("space_not_maintained", maintain, { shard });
  }
}
