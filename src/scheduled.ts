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
import { recordRun, type Trigger } from "./db/run-times.ts";
import { controlDbOf, countDatabases, isSharded } from "./db/shards.ts";
import { continueDeletions, removeEndedTrails } from "./deletion/delete-tenant.ts";
import { isConfigured } from "./env.ts";
import { expirePersonalParts } from "./expiry/expire-personal.ts";
import { measureLateDeliveries } from "./guard/delivery/gate-client.ts";
import { deleteExpired, maintainSpace } from "./housekeeping.ts";
import { runJob } from "./job.ts";
import { log } from "./log.ts";
import { finishRelocations } from "./relocation/relocate.ts";
import { refreshFeeds } from "./sentinel/feeds/refresh.ts";
import { publishPopulations } from "./sentinel/population/publish.ts";
import { findRetentionDays } from "./tenancy/find-retention.ts";
import { registerAllTokenEnds } from "./tenancy/token-register-client.ts";

/** The triggers in wrangler.toml. */
const triggerOf: ReadonlyMap<string, Trigger> = new Map([
  ["* * * * *", "every_minute"],
  ["17 * * * *", "housekeeping"],
  ["37 * * * *", "data"],
]);
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

/** Logs how many objects deliver late to each database, and since when. Never throws. */
async function logLateDeliveries(env: Env): Promise<void> {
  for (let shard = 0; shard < countDatabases(env); shard += 1) {
    await runJob(
      "gate_unreachable",
      async () => {
        const { count, since } = await measureLateDeliveries(env, shard);
        const ageMs = since === null ? 0 : Math.max(0, Date.now() - since);
        log("info", "deliveries_waiting", { shard, count, age_seconds: Math.floor(ageMs / 1000) });
      },
      { shard },
    );
  }
}

const work: Readonly<Record<Trigger, (env: Env, now: number) => Promise<void>>> = {
  every_minute: async (env, now) => {
    await Promise.all([
      integrateAndWitness(env),
      countBacklogs(env, now),
      registerAllTokenEnds(env),
      workAcrossDatabases(env, now),
      continueDeletions(env, now),
      logLateDeliveries(env),
    ]);
  },
  housekeeping: async (env, now) => {
    await deleteExpired(env, now);
    // First, so that the archive gets no personal parts that are due.
    await expirePersonalParts(env, now);
    await archiveLogs(env, now, findRetentionDays);
    await removeEndedTrails(env);
    await maintainSpace(env);
  },
  data: async (env, now) => {
    await refreshFeeds(env, now);
    await publishPopulations(env, now);
  },
};

/** Never throws: a job that fails is logged, and its next run continues. @param now Unix ms */
export async function onSchedule(env: Env, cron: string, now: number): Promise<void> {
  if (!isConfigured(env)) return;
  const trigger = triggerOf.get(cron);
  if (trigger === undefined) {
    log("error", "unknown_cron");
    return;
  }
  const startedAt = Date.now();
  await work[trigger](env, now);
  const endedAt = Date.now();
  await runJob("run_not_recorded", () => recordRun(controlDbOf(env), trigger, endedAt), {
    source: trigger,
  });
  log("info", "run_ended", { source: trigger, milliseconds: endedAt - startedAt });
}
