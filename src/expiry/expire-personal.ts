/**
 * The scheduled expiry of personal parts, for tenants with `retention.personal_days`. It first deletes the day keys,
 * which makes the personal parts of those days unreadable in every copy at once. Then it removes the unreadable boxes
 * from D1 and from the archive, deletes the assessments of those days, and files one event with the counts. Boxes of
 * older builds are under no day key; for them the removal is the expiry.
 *
 * A tenant that is deleted needs none: its audit keys and day keys are gone, and its trail has no readable parts.
 */
import { createTenantEvent } from "../audit/event.ts";
import { deleteDayKeysBelow } from "../audit/personal-keys/client.ts";
import { dayOf } from "../audit/personal-keys/day.ts";
import { stampEvents } from "../audit/stamp.ts";
import { mapConcurrently } from "../concurrent.ts";
import { type Database, FencedTenantError, StaleReadError } from "../db/client.ts";
import { controlDbOf, listDatabases, listDatabasesInTurn } from "../db/shards.ts";
import { forEachInTurn } from "../db/turns.ts";
import { type Config, requireConfig } from "../env.ts";
import { runJob } from "../job.ts";
import { requireMatchingKeys } from "../keys/key-check.ts";
import { log } from "../log.ts";
import { findLocations } from "../tenancy/find-locations.ts";
import { findPersonalDays } from "../tenancy/find-retention.ts";
import { advanceExpiry, type Budget } from "./advance.ts";
import { dayMs } from "./expired-events.ts";
import {
  type DueExpiry,
  endExpiry,
  type ListedExpiry,
  listDueExpiries,
  openExpiry,
  type PersonalExpiry,
} from "./store.ts";

/** Tenants whose keys one run deletes, over all databases together. */
const maxKeysPerRun = 2_000;
const maxConcurrentObjects = 6;
/** Steps of one run, over all tenants together: it shares the platform's limit with the other jobs. */
const maxStepsPerRun = 80;
/** Further steps wait for the next run. */
const maxStepsPerTenant = 20;
/** The beginning and the end of an expiry are batches too. */
const stepsAround = 2;
/** Of events or of assessments. D1 ends a statement after 30 s. */
const maxRowsPerStep = 5_000;
/** Tenants whose setting one query reads. */
const maxSettingsPerPage = 10_000;
const hourMs = 3_600_000;
const failure = "personal_expiry_failed";

/** The event that reports what has expired; none if nothing has. */
async function createEvents(config: Config, expiry: PersonalExpiry) {
  const { tenantId, cutoffDay, startedAt, events, assessments } = expiry;
  if (events + assessments === 0) return [];
  const before = new Date(cutoffDay * dayMs).toISOString().slice(0, "YYYY-MM-DD".length);
  const event = createTenantEvent(
    tenantId,
    { now: startedAt, actor: { type: "system", id: null }, requestId: before },
    { type: "tenant", id: tenantId },
    { action: "personal.expired", outcome: "success", details: { events, assessments, before } },
  );
  return await stampEvents(config.auditSigningKeys, [{ ...event, requestId: null }]);
}

/** Where a run works, and with which bound. */
interface Run {
  readonly env: Env;
  readonly config: Config;
  readonly shard: number;
  readonly db: Database;
  /** Real time, Unix ms. */
  readonly now: number;
  /** Tenants whose keys are deleted. */
  readonly maxKeys: number;
  readonly rowsPerStep: number;
}

/** Lists the tenants in the database of which something is due, in turn. */
async function listDue({ env, shard, db, now }: Run): Promise<readonly DueExpiry[]> {
  const found = new Map<string, ListedExpiry>();
  const today = dayOf(now);
  for (let after: string | undefined = ""; after !== undefined; ) {
    const page = await findPersonalDays(env, shard, { after, limit: maxSettingsPerPage });
    const wanted = page.map(({ tenantId, days }) => ({ tenantId, cutoffDay: today - days }));
    for (const due of await listDueExpiries(db, wanted)) {
      // Of an expiry that has begun, pages without its tenant know only the cutoff that it began with.
      const known = found.get(due.tenantId);
      if (known === undefined || known.cutoffDay < due.cutoffDay) found.set(due.tenantId, due);
    }
    after = page.length < maxSettingsPerPage ? undefined : page.at(-1)?.tenantId;
  }
  const byTurn = (one: ListedExpiry, other: ListedExpiry) =>
    Number(one.hadTurn) - Number(other.hadTurn) || (one.tenantId < other.tenantId ? -1 : 1);
  return [...found.values()].toSorted(byTurn);
}

/**
 * Deletes the day keys of these tenants, which costs no query: they go in time, however long the rest takes. If there
 * are too many tenants, each run begins with others. @returns the tenants whose keys are gone
 */
async function deleteKeys(
  { env, now, maxKeys }: Run,
  due: readonly DueExpiry[],
): Promise<ReadonlySet<string>> {
  const begin = (Math.floor(now / hourMs) * maxKeys) % Math.max(1, due.length);
  const some = [...due.slice(begin), ...due.slice(0, begin)].slice(0, maxKeys);
  const locations = await findLocations(
    controlDbOf(env),
    some.map(({ tenantId }) => tenantId),
  );
  const gone = new Set<string>();
  await mapConcurrently(some, maxConcurrentObjects, async ({ tenantId, cutoffDay }) => {
    const location = locations.get(tenantId);
    // The tenant has just been deleted.
    if (location === undefined) return;
    const work = async () => {
      await deleteDayKeysBelow(env, { tenantId, location }, cutoffDay);
      gone.add(tenantId);
    };
    await runJob(failure, work, { tenant_id: tenantId });
  });
  return gone;
}

/** Begins the tenant's expiry or continues it. @throws StoreError */
async function expire(run: Run, due: DueExpiry, budget: Budget): Promise<void> {
  const { env, config, db, now } = run;
  try {
    const begun = await openExpiry(db, due, now);
    const stores = { db, bucket: env.AUDIT_ARCHIVE };
    const { expiry, isComplete } = await advanceExpiry(stores, begun, budget);
    if (!isComplete) return;
    await endExpiry(db, expiry, await createEvents(config, expiry));
    const count = expiry.events + expiry.assessments;
    if (count > 0) log("info", "personal_expired", { tenant_id: expiry.tenantId, count });
  } catch (error) {
    // Another run is faster, or the tenant is moving: a later run continues.
    if (error instanceof StaleReadError || error instanceof FencedTenantError) return;
    throw error;
  }
}

/** @param share steps @returns how many of them are left */
async function expireInDatabase(run: Run, share: number): Promise<number> {
  const { rowsPerStep } = run;
  let left = share;
  const job = {
    job: "personal_expiry",
    failure,
    maxTenants: share,
    hasBudget: () => left > 0,
  } as const;
  const list = async (limit: number) => {
    const due = await listDue(run);
    const gone = await deleteKeys(run, due);
    return due.filter(({ tenantId }) => gone.has(tenantId)).slice(0, limit);
  };
  await forEachInTurn(run.db, job, list, async (due) => {
    // Counted first, so that a tenant that always fails counts too.
    left -= stepsAround;
    const given = Math.max(1, Math.min(maxStepsPerTenant, left));
    const budget = { steps: given, rowsPerStep };
    try {
      await expire(run, due, budget);
    } finally {
      left -= given - budget.steps;
    }
  });
  return Math.max(0, left);
}

/**
 * Begins and continues the expiry of all tenants with the setting, in turn. Never throws: a failure is logged, and the
 * next run continues.
 * @param now real time, Unix ms
 * @param rowsPerStep events or assessments of one step
 */
export async function expirePersonalParts(
  env: Env,
  now: number,
  rowsPerStep = maxRowsPerStep,
): Promise<void> {
  await runJob(failure, async () => {
    const config = requireConfig(env);
    await requireMatchingKeys(env, config, now);
    const shards = listDatabases(env);
    const databases = listDatabasesInTurn(env, now);
    const maxKeys = Math.ceil(maxKeysPerRun / databases.length);
    let left = maxStepsPerRun;
    for (const [index, db] of databases.entries()) {
      // What one database does not need is left to those after it.
      const share = Math.ceil(left / (databases.length - index));
      const run = { env, config, shard: shards.indexOf(db), db, now, maxKeys, rowsPerStep };
      await runJob(failure, async () => {
        left += (await expireInDatabase(run, share)) - share;
      });
    }
  });
}
