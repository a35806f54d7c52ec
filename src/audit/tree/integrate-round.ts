/** One round of the integration: the next events of some logs of one database, in a fixed number of statements. */
import { type Database, FencedTenantError, StoreError } from "../../db/client.ts";
import { DeadlineError } from "../../deadline.ts";
import type { Config } from "../../env.ts";
import { causeOf, log } from "../../log.ts";
import { countSlices } from "../statistics/count-slices.ts";
import { addToRecentCounts } from "../statistics/recent-counts.ts";
import { buildHead } from "./build-head.ts";
import { type CountedHead, writeHeads } from "./head-store.ts";
import { readEventRanges, readTiles, type UnintegratedLog } from "./store.ts";
import { listEdgeTiles } from "./tiles.ts";
import { findWitnessedLogs, type ListBudget } from "./witness-kv.ts";

export interface RoundLimits {
  readonly maxEventsPerRound: number;
  readonly maxEventsPerLog: number;
  readonly maxLogsPerRound: number;
}

/** After so many missed deadlines in one run, the run gives up. */
const maxMissedDeadlines = 5;
/** A round that fails is divided into so many parts, which finds one log among 400 in four attempts. */
const partsOfFailedRound = 8;
/** A log that is slow to read is tried again with fewer events, down to this many. */
const minEventsPerTry = 50;

/** The events of one log that a round integrates. */
interface LogSlice extends UnintegratedLog {
  /** The end of the slice, exclusive; it begins at `size`. */
  readonly below: number;
}

/** One run over the logs of a database. */
export interface Run {
  readonly env: Env;
  readonly config: Config;
  readonly db: Database;
  /** Unix ms: the time of the heads. */
  readonly now: number;
  readonly limits: RoundLimits;
  readonly lists: ListBudget;
  /** A round that fails and is divided uses several. */
  roundsLeft: number;
  missedDeadlines: number;
  /** Logs that could not be integrated to their end. */
  putOff: number;
  /** The last log of the last slices that were tried. */
  lastTried?: string | undefined;
  /** Set if the tenant of one of them is moving, or has moved. */
  fenced?: FencedTenantError;
}

/**
 * Divides the events of a round among the logs. Each log gets an equal share first, so that a long log does not
 * take the round from the others; what they leave goes to the long logs, in order.
 */
function planRound(logs: readonly UnintegratedLog[], limits: RoundLimits): LogSlice[] {
  const share = Math.floor(limits.maxEventsPerRound / Math.max(1, logs.length));
  const wanted = logs.map(({ length, size }) => Math.min(length - size, limits.maxEventsPerLog));
  const firsts = wanted.map((count) => Math.min(count, share));
  let left = limits.maxEventsPerRound - firsts.reduce((sum, count) => sum + count, 0);
  return logs.map((entry, index) => {
    const first = firsts[index] ?? 0;
    const more = Math.min((wanted[index] ?? 0) - first, left);
    left -= more;
    return { ...entry, below: entry.size + first + more };
  });
}

/** Integrates all slices or none, except those that another run has just integrated. @throws StoreError */
async function integrateTogether(run: Run, slices: readonly LogSlice[]): Promise<CountedHead[]> {
  const { env, db } = run;
  run.roundsLeft -= 1;
  run.lastTried = slices.at(-1)?.tenantId;
  const withoutHead = slices.filter(({ note }) => note === null);
  const [events, edges, witnessed] = await Promise.all([
    readEventRanges(
      db,
      slices.map(({ tenantId, size, below }) => ({ tenantId, from: size, below })),
    ),
    readTiles(
      db,
      slices.map(({ tenantId, size }) => ({ tenantId, tiles: listEdgeTiles(size) })),
    ),
    findWitnessedLogs(
      env,
      withoutHead.map(({ tenantId }) => tenantId),
      run.lists,
    ),
  ]);
  const results = await Promise.all(
    slices.map(async (slice) => {
      const { tenantId } = slice;
      const head = await buildHead(run, slice, {
        edge: edges.get(tenantId) ?? [],
        events: events.get(tenantId) ?? [],
        isWitnessed: witnessed.get(tenantId),
      });
      if (typeof head !== "string") return head;
      log("error", head, { tenant_id: tenantId });
      return undefined;
    }),
  );
  const heads = results.filter((head) => head !== undefined);
  if (heads.length === 0) return [];
  const counts = await countSlices(
    db,
    heads.map(({ tenantId, extendsSize: from, size }) => {
      const added = (events.get(tenantId) ?? []).filter(({ leafIndex }) => leafIndex < size);
      return { tenantId, from, events: added };
    }),
  );
  const recentOf = new Map(slices.map(({ tenantId, recentCounts }) => [tenantId, recentCounts]));
  const counted = heads.map((head): CountedHead => {
    const recentBefore = recentOf.get(head.tenantId) ?? null;
    const added = counts.get(head.tenantId) ?? [];
    return { ...head, recentBefore, ...addToRecentCounts(recentBefore, added) };
  });
  const written = await writeHeads(db, counted);
  const overtaken = heads.length - written.size;
  if (overtaken > 0) log("info", "audit_seal_put_off", { count: overtaken });
  return counted.filter(({ tenantId }) => written.has(tenantId));
}

/**
 * Integrates the slices together. If that fails, because one log is slow to read or its tenant is moving, the
 * slices are divided and tried in order, and a slow log with fewer events.
 * @throws StoreError after too many missed deadlines
 */
async function integrateSlices(run: Run, slices: readonly LogSlice[]): Promise<CountedHead[]> {
  if (run.roundsLeft <= 0) return [];
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
    const heads: CountedHead[] = [];
    const size = Math.ceil(slices.length / partsOfFailedRound);
    for (let start = 0; start < slices.length; start += size) {
      heads.push(...(await integrateSlices(run, slices.slice(start, start + size))));
    }
    return heads;
  }
}

/**
 * Integrates one round of events. @returns the logs that have more; a log without a new head waits for the next
 * run
 */
export async function integrateRound(
  run: Run,
  logs: readonly UnintegratedLog[],
): Promise<UnintegratedLog[]> {
  const slices = planRound(logs, run.limits);
  const heads = await integrateSlices(run, slices);
  const byTenant = new Map(heads.map((head) => [head.tenantId, head]));
  return slices.flatMap((slice) => {
    const head = byTenant.get(slice.tenantId);
    if (head === undefined) run.putOff += 1;
    else if (head.size < slice.length) {
      const { size, note, recentCounts } = head;
      return [{ ...slice, size, note, recentCounts }];
    }
    return [];
  });
}
