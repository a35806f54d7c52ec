/**
 * Integrates filed events into the Merkle tree of each tenant's log and signs the new tree head. Leaf
 * indexes are assigned when events are filed, so two runs at once would append the same leaves. The store
 * accepts only one head on top of another, with its tiles or not at all.
 */
import { type Database, FencedTenantError, StoreError } from "../../db/client.ts";
import { listDatabases, runInTenantDb } from "../../db/shards.ts";
import { DeadlineError } from "../../deadline.ts";
import { type Config, requireConfig } from "../../env.ts";
import { runJob } from "../../job.ts";
import { causeOf, log } from "../../log.ts";
import { buildHead } from "./build-head.ts";
import {
  findUnintegrated,
  type NewHead,
  readEventRanges,
  readTiles,
  type UnintegratedLog,
  writeHeads,
} from "./store.ts";
import { listEdgeTiles } from "./tiles.ts";

/**
 * The longest time from the filing of an event to a head that covers it, under low load. Every checkpoint shows
 * it.
 */
export const maxIntegrationSeconds = 60;

/** Bounds of one round, which has a fixed number of statements. */
const maxEventsPerRound = 4_000;
const maxEventsPerLog = 2_000;
const maxLogsPerRound = 80;
/** Rounds of one run over all databases together; the rest waits for the next run. */
const maxRounds = 50;

/** After so many missed deadlines in one run, the run gives up. */
const maxMissedDeadlines = 5;
/** A log that is slow to read is tried again with fewer events, down to this many. */
const minEventsPerTry = 50;

/** The events of one log that a round integrates. */
interface LogSlice extends UnintegratedLog {
  /** The end of the slice, exclusive; it begins at `size`. */
  readonly below: number;
}

/** One run over the logs of a database. */
interface Run {
  readonly env: Env;
  readonly config: Config;
  readonly db: Database;
  /** Unix ms: the time of the heads. */
  readonly now: number;
  readonly maxRounds: number;
  missedDeadlines: number;
  /** Logs that could not be integrated to their end. */
  putOff: number;
  /** Set if the tenant of one of them is moving, or has moved. */
  fenced?: FencedTenantError;
}

/** Divides the events of a round among the logs, in order. */
function planRound(logs: readonly UnintegratedLog[]): LogSlice[] {
  const slices: LogSlice[] = [];
  let left = maxEventsPerRound;
  for (const entry of logs) {
    if (left === 0) break;
    const count = Math.min(entry.length - entry.size, maxEventsPerLog, left);
    slices.push({ ...entry, below: entry.size + count });
    left -= count;
  }
  return slices;
}

/** Integrates all slices or none. @throws StoreError, also if another run was faster */
async function integrateTogether(run: Run, slices: readonly LogSlice[]): Promise<NewHead[]> {
  const { db } = run;
  const [events, edges] = await Promise.all([
    readEventRanges(
      db,
      slices.map(({ tenantId, size, below }) => ({ tenantId, from: size, below })),
    ),
    readTiles(
      db,
      slices.map(({ tenantId, size }) => ({ tenantId, tiles: listEdgeTiles(size) })),
    ),
  ]);
  const results = await Promise.all(
    slices.map(async (slice) => {
      const { tenantId } = slice;
      const edge = edges.get(tenantId) ?? [];
      const head = await buildHead(run, slice, edge, events.get(tenantId) ?? []);
      if (typeof head !== "string") return head;
      log("error", head, { tenant_id: tenantId });
      return undefined;
    }),
  );
  const heads = results.filter((head) => head !== undefined);
  if (heads.length > 0) await writeHeads(db, heads);
  return heads;
}

/**
 * Integrates the slices together. If that fails, because one log is damaged, slow to read or was just
 * integrated by another run, each is tried alone, and a slow one with fewer events.
 * @throws StoreError after too many missed deadlines
 */
async function integrateSlices(run: Run, slices: readonly LogSlice[]): Promise<NewHead[]> {
  try {
    return await integrateTogether(run, slices);
  } catch (error) {
    if (error instanceof FencedTenantError) run.fenced = error;
    const isSlow = error instanceof StoreError && error.cause instanceof DeadlineError;
    if (isSlow) {
      run.missedDeadlines += 1;
      if (run.missedDeadlines >= maxMissedDeadlines) throw error;
    }
    const [only, ...others] = slices;
    if (only !== undefined && others.length === 0) {
      const count = Math.floor((only.below - only.size) / 4);
      if (isSlow && count >= minEventsPerTry) {
        return await integrateSlices(run, [{ ...only, below: only.size + count }]);
      }
      log("info", "audit_seal_put_off", { tenant_id: only.tenantId, cause: causeOf(error) });
      return [];
    }
    const heads: NewHead[] = [];
    for (const slice of slices) heads.push(...(await integrateSlices(run, [slice])));
    return heads;
  }
}

/** Integrates one round of events. @returns the logs that have more */
async function integrateRound(
  run: Run,
  logs: readonly UnintegratedLog[],
): Promise<UnintegratedLog[]> {
  const slices = planRound(logs);
  const heads = await integrateSlices(run, slices);
  const byTenant = new Map(heads.map((head) => [head.tenantId, head]));
  const unfinished = slices.flatMap((slice) => {
    const head = byTenant.get(slice.tenantId);
    // A log without a new head waits for the next run.
    if (head === undefined) run.putOff += 1;
    else if (head.size < slice.length) return [{ ...slice, size: head.size, note: head.note }];
    return [];
  });
  return [...logs.slice(slices.length), ...unfinished];
}

/** Integrates all logs of the database, or one tenant's. */
async function integrateDatabase(run: Run, tenantId?: string): Promise<void> {
  let after = "";
  let logs: UnintegratedLog[] = [];
  for (let round = 0; round < run.maxRounds; round += 1) {
    if (logs.length === 0) {
      logs = await findUnintegrated(run.db, { after, tenantId }, maxLogsPerRound);
      after = logs.at(-1)?.tenantId ?? after;
    }
    if (logs.length === 0) return;
    logs = await integrateRound(run, logs);
  }
}

function createRun(env: Env, db: Database, now: number, rounds: number): Run {
  const config = requireConfig(env);
  return { env, config, db, now, maxRounds: rounds, missedDeadlines: 0, putOff: 0 };
}

/** Integrates the logs of all tenants. Never throws: a failure is logged, and the next run continues. */
export async function integrateLogs(env: Env, now: number): Promise<void> {
  const databases = listDatabases(env);
  const rounds = Math.ceil(maxRounds / databases.length);
  const runs = databases.map((db) =>
    runJob("audit_seal_failed", async () => {
      await integrateDatabase(createRun(env, db, now, rounds));
    }),
  );
  await Promise.all(runs);
}

/** Integrates one tenant's log, so that its newest head covers every filed event. @throws StoreError */
export async function integrateLog(env: Env, tenantId: string, now: number): Promise<void> {
  await runInTenantDb(env, tenantId, async (db) => {
    const run = createRun(env, db, now, maxRounds);
    await integrateDatabase(run, tenantId);
    if (run.fenced !== undefined) throw run.fenced;
    // Another run was faster, and may not have included the caller's events.
    if (run.putOff > 0) await integrateDatabase(run, tenantId);
  });
}
