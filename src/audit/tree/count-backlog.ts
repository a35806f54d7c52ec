/**
 * Counts integrated leaves that the statistics do not cover: those from before an upgrade, those that an older build
 * integrated, and all of a tenant whose statistics are rebuilt. A step counts the leaves after the last counted one,
 * and saves them only if that is still the last, so steps may be cut off, repeated and run at once.
 *
 * The integration counts a head's leaves itself as soon as all leaves before them are counted.
 */
import type { Database } from "../../db/client.ts";
import { listDatabasesInTurn, runInTenantDb } from "../../db/shards.ts";
import { forEachInTurn } from "../../db/turns.ts";
import { runJob } from "../../job.ts";
import { listUserHours } from "../statistics/count-events.ts";
import { countSlices } from "../statistics/count-slices.ts";
import {
  type Backlog,
  clearStatistics,
  findBacklog,
  listBacklogs,
  saveCountedLeaves,
} from "./backlog-store.ts";
import { readTrailPage } from "./read-trail.ts";

/** Leaves of one step. */
const defaultLimits = { maxEvents: 2_000, maxBytes: 2_000_000 };
/** Of one run, over all databases; a step makes three calls of D1, and two of R2 if the leaves are in the archive. */
const maxStepsPerRun = 20;
const passPeriodMs = 60_000;

export type StepLimits = typeof defaultLimits;

/** Counts the next leaves of a log. @returns how far it is counted then @throws StoreError */
async function runStep(
  env: Env,
  db: Database,
  backlog: Backlog,
  limits: StepLimits,
): Promise<Backlog> {
  const { tenantId, countedSize: from, size } = backlog;
  const range = { from, below: size };
  const page = await readTrailPage(env, db, tenantId, range, limits, undefined);
  const last = page.events.at(-1);
  const below = last === undefined ? size : last.leafIndex + 1;
  const counts = await countSlices(db, [{ tenantId, from, events: page.events }]);
  const isSaved = await saveCountedLeaves(db, {
    tenantId,
    from,
    below,
    hours: counts.get(tenantId) ?? [],
    archived: page.isArchived ? listUserHours(page.events) : [],
  });
  return isSaved ? { ...backlog, countedSize: below } : await findBacklog(db, tenantId);
}

/** Runs steps until the log is counted, or the budget is used up. */
async function countLog(
  env: Env,
  db: Database,
  backlog: Backlog,
  budget: { steps: number },
  limits: StepLimits,
): Promise<Backlog> {
  let current = backlog;
  while (current.countedSize < current.size && budget.steps > 0) {
    // Counted first, so that a log that always fails counts too.
    budget.steps -= 1;
    current = await runStep(env, db, current, limits);
  }
  return current;
}

/** Counts some leaves of all logs that have uncounted ones. Never throws: a failure is logged. @param now Unix ms */
export async function countBacklogs(env: Env, now: number, limits = defaultLimits): Promise<void> {
  const budget = { steps: maxStepsPerRun };
  const job = {
    job: "statistics",
    failure: "statistics_not_counted",
    maxTenants: maxStepsPerRun,
    hasBudget: () => budget.steps > 0,
  } as const;
  for (const db of listDatabasesInTurn(env, now, passPeriodMs)) {
    await runJob("statistics_not_counted", async () => {
      await forEachInTurn(
        db,
        job,
        (limit) => listBacklogs(db, limit),
        async (backlog) => {
          await countLog(env, db, backlog, budget, limits);
        },
      );
    });
  }
}

/**
 * Counts the next leaves of a tenant.
 * @param call `isRestart`: all leaves are counted again, from the first on; `steps`: how many steps may run
 * @throws StoreError
 */
export async function rebuildStatistics(
  env: Env,
  tenantId: string,
  { isRestart, steps }: { readonly isRestart: boolean; readonly steps: number },
  limits = defaultLimits,
): Promise<Backlog> {
  return await runInTenantDb(env, tenantId, async (db) => {
    if (isRestart) await clearStatistics(db, tenantId);
    return await countLog(env, db, await findBacklog(db, tenantId), { steps }, limits);
  });
}
