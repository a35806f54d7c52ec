/** What is removed on a schedule: assessments past their retention, tombstones and
 * request keys nobody needs. */
import { allDatabases } from "./db/client.ts";
import { purgeTombstones } from "./identity/store.ts";
import { purgeRequests } from "./idempotency/store.ts";
import { causeOf, log } from "./log.ts";
import { purgeAssessments } from "./sentinel/store.ts";

/** @param now Unix ms. Never throws: what fails is logged, and the next run does it. */
export async function tidyUp(env: Env, now: number): Promise<void> {
  for (const db of allDatabases(env)) {
    for (const purge of [purgeAssessments, purgeTombstones, purgeRequests]) {
      try {
        await purge(db, now);
      } catch (error) {
        log("error", "tidy_up_failed", { source: purge.name, cause: causeOf(error) });
      }
    }
  }
}
