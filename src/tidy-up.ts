/** What is removed on a schedule: assessments past their retention, tombstones and
 * request keys nobody needs. */
import type { Database } from "./db/client.ts";
import { allDatabases, controlDb } from "./db/shards.ts";
import { purgeTombstones } from "./identity/store.ts";
import { purgeRequests } from "./idempotency/store.ts";
import { causeOf, log } from "./log.ts";
import { purgeAssessments } from "./sentinel/assessments/store.ts";

type Purge = (db: Database, now: number) => Promise<void>;

/** @param now Unix ms. Never throws: what fails is logged, and the next run does it. */
export async function tidyUp(env: Env, now: number): Promise<void> {
  const tidy = async (source: string, db: Database, purge: Purge) => {
    try {
      await purge(db, now);
    } catch (error) {
      log("error", "tidy_up_failed", { source, cause: causeOf(error) });
    }
  };
  for (const db of allDatabases(env)) {
    await tidy("assessments", db, purgeAssessments);
    await tidy("tombstones", db, purgeTombstones);
  }
  await tidy("request_keys", controlDb(env), purgeRequests);
}
