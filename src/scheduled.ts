/**
 * What runs by the clock: sealing, the witness, ends of tokens and what waits for a move every minute,
 * housekeeping and data every hour.
 */

import { deliverControlEvents } from "./audit/control-outbox/deliver.ts";
import { archiveLogs } from "./audit/tree/archive.ts";
import { integrateLogs } from "./audit/tree/integrate.ts";
import { witnessHeads } from "./audit/tree/witness.ts";
import { isSharded } from "./db/shards.ts";
import { deleteExpired } from "./housekeeping.ts";
import { log } from "./log.ts";
import { finishRelocations } from "./relocation/relocate.ts";
import { refreshFeeds } from "./sentinel/feeds/refresh.ts";
import { publishPopulations } from "./sentinel/population/publish.ts";
import { findRetentionDays } from "./tenancy/find-retention.ts";
import { registerAllTokenEnds } from "./tenancy/token-register-client.ts";

/** As wrangler.toml has them. */
const sealingCron = "* * * * *";
const housekeepingCron = "17 * * * *";
const dataCron = "37 * * * *";
/** Half of the minute: an event waits half as long as the clock of the platform would have it. */
const betweenPassesMs = 30_000;

/** The witness, which may be slow, keeps no pass waiting. */
async function sealAndWitness(env: Env): Promise<void> {
  await integrateLogs(env, Date.now());
  const secondPass = async () => {
    await scheduler.wait(betweenPassesMs);
    await integrateLogs(env, Date.now());
  };
  await Promise.all([secondPass(), witnessHeads(env, Date.now())]);
}

/** What only tenants in other databases than `DB` leave behind. */
async function betweenDatabases(env: Env, now: number): Promise<void> {
  if (!isSharded(env)) return;
  await deliverControlEvents(env);
  await finishRelocations(env, now);
}

/** Never throws: what fails is logged, and the next run does it. */
export async function onSchedule(env: Env, cron: string, now: number): Promise<void> {
  switch (cron) {
    case sealingCron:
      await Promise.all([
        sealAndWitness(env),
        registerAllTokenEnds(env),
        betweenDatabases(env, now),
      ]);
      break;
    case housekeepingCron:
      await deleteExpired(env, now);
      await archiveLogs(env, now, findRetentionDays);
      break;
    case dataCron:
      await refreshFeeds(env, now);
      await publishPopulations(env, now);
      break;
    default:
      log("error", "unknown_cron");
  }
}
