/**
 * Scheduled work. Every minute: the audit trees, the witness, the statistics, ends of tokens, the control outbox,
 * relocations that have switched, and deletions of tenants. Every hour: housekeeping, and the refresh of Sentinel's
 * data.
 */

import { deliverControlEvents } from "./audit/control-outbox/deliver.ts";
import { archiveLogs } from "./audit/tree/archive.ts";
import { countBacklogs } from "./audit/tree/count-backlog.ts";
import { integrateLogs } from "./audit/tree/integrate.ts";
import { witnessHeads } from "./audit/tree/witness.ts";
import { isSharded } from "./db/shards.ts";
import { continueDeletions, removeEndedTrails } from "./deletion/delete-tenant.ts";
import { isConfigured } from "./env.ts";
import { deleteExpired, maintainSpace } from "./housekeeping.ts";
import { log } from "./log.ts";
import { finishRelocations } from "./relocation/relocate.ts";
import { refreshFeeds } from "./sentinel/feeds/refresh.ts";
import { publishPopulations } from "./sentinel/population/publish.ts";
import { findRetentionDays } from "./tenancy/find-retention.ts";
import { registerAllTokenEnds } from "./tenancy/token-register-client.ts";

/** The triggers in wrangler.toml. */
const everyMinuteCron = "* * * * *";
const housekeepingCron = "17 * * * *";
const dataCron = "37 * * * *";
/** The platform starts a run every minute; a second pass halves the time that an event waits. */
const secondPassAfterMs = 30_000;

/** The second pass does not wait for the witness, which may be slow. */
async function integrateAndWitness(env: Env): Promise<void> {
  await integrateLogs(env, Date.now());
  const runSecondPass = async () => {
    await scheduler.wait(secondPassAfterMs);
    await integrateLogs(env, Date.now());
  };
  await Promise.all([runSecondPass(), witnessHeads(env, Date.now())]);
}

/** Needed only if tenants are in other databases than `DB`. */
async function workAcrossDatabases(env: Env, now: number): Promise<void> {
  if (!isSharded(env)) return;
  await deliverControlEvents(env);
  await finishRelocations(env, now);
}

/** Never throws: a job that fails is logged, and its next run continues. @param now Unix ms */
export async function onSchedule(env: Env, cron: string, now: number): Promise<void> {
  if (!isConfigured(env)) return;
  switch (cron) {
    case everyMinuteCron:
      await Promise.all([
        integrateAndWitness(env),
        countBacklogs(env, now),
        registerAllTokenEnds(env),
        workAcrossDatabases(env, now),
        continueDeletions(env, now),
      ]);
      break;
    case housekeepingCron:
      await deleteExpired(env, now);
      await archiveLogs(env, now, findRetentionDays);
      await removeEndedTrails(env);
      await maintainSpace(env);
      break;
    case dataCron:
      await refreshFeeds(env, now);
      await publishPopulations(env, now);
      break;
    default:
      log("error", "unknown_cron");
  }
}
