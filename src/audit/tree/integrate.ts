/**
 * Integrates filed events into the Merkle tree of each tenant's log and signs the new tree head. Leaf
 * indexes are assigned when events are filed, so two runs at once would append the same leaves. The store
 * accepts only one head on top of another, with its tiles or not at all.
 *
 * A pass divides its rounds among the databases by what waits in each, and takes the logs of a database in turn
 * (db/turns.ts). docs/scale.md computes how many passes a log may wait.
 */
import { mapConcurrently } from "../../concurrent.ts";
import type { Database } from "../../db/client.ts";
import { listDatabases, listDatabasesInTurn, runInTenantDb } from "../../db/shards.ts";
import { divideFairly, endTurn } from "../../db/turns.ts";
import { requireConfig } from "../../env.ts";
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import { integrateRound, type RoundLimits, type Run } from "./integrate-round.ts";
import { sumWaiting } from "./measure-store.ts";
import { findUnintegrated, type UnintegratedLog } from "./store.ts";
import type { ListBudget } from "./witness-kv.ts";

/**
 * The longest time from the filing of an event to a head that covers it, while a pass can integrate everything
 * that waits. Every checkpoint shows it.
 */
export const maxIntegrationSeconds = 60;
/** A pass begins this long after the previous one. */
const passPeriodMs = 30_000;

export interface IntegrationLimits extends RoundLimits {
  /** Rounds of one pass, over all databases together; a round makes three calls of D1. */
  readonly maxRounds: number;
  /** Logs of one database in one pass. */
  readonly maxLogs: number;
}

/** They keep two passes well below the platform's limits on calls, processor time and memory: docs/scale.md. */
export const integrationLimits: IntegrationLimits = {
  maxRounds: 32,
  maxLogs: 4_000,
  maxLogsPerRound: 400,
  maxEventsPerRound: 6_000,
  maxEventsPerLog: 2_000,
};
/** Rounds for one tenant's log that a request waits for. */
const maxRoundsPerRequest = 50;
/** What a database may use beyond its need, to divide a round that fails. */
const spareRounds = 24;
/** A round holds up to 20 MB. */
const maxConcurrentDatabases = 3;
/** Calls of KV in one pass, for logs without a head. */
const maxLists = 100;

function createRun(
  env: Env,
  db: Database,
  now: number,
  budget: { readonly limits: RoundLimits; readonly lists: ListBudget; readonly rounds: number },
): Run {
  const { limits, lists, rounds: roundsLeft } = budget;
  const config = requireConfig(env);
  return { env, config, db, now, limits, lists, roundsLeft, missedDeadlines: 0, putOff: 0 };
}

/**
 * Integrates the logs in order, round by round. A log that has more waits until every other had its round.
 * @param onTried gets the number of logs that have been tried, from the first on
 */
async function integrateInOrder(
  run: Run,
  logs: readonly UnintegratedLog[],
  onTried: (count: number) => void = () => {},
): Promise<void> {
  const { maxLogsPerRound } = run.limits;
  let tried = 0;
  let waiting = logs;
  while (waiting.length > 0 && run.roundsLeft > 0) {
    const some = waiting.slice(0, maxLogsPerRound);
    let unfinished: readonly UnintegratedLog[] = [];
    try {
      unfinished = await integrateRound(run, some);
    } finally {
      const last = logs.findIndex(({ tenantId }) => tenantId === run.lastTried);
      // A log that was tried again follows those that were tried for the first time.
      tried = last >= tried ? last + 1 : logs.length;
      onTried(tried);
    }
    waiting = [...waiting.slice(some.length), ...unfinished];
  }
}

/**
 * Divides the rounds of a pass among the databases: first so that every log gets a turn, then by the events that
 * wait, and what is left so that a round that fails can be divided.
 */
function divideRounds(
  waiting: readonly (readonly UnintegratedLog[])[],
  limits: IntegrationLimits,
): number[] {
  const turns = waiting.map((logs) => Math.ceil(logs.length / limits.maxLogsPerRound));
  const needs = waiting.map((logs, index) => {
    const counts = logs.map(({ length, size }) => length - size);
    const longest = counts.reduce((most, count) => Math.max(most, count), 0);
    const sum = counts.reduce((total, count) => total + count, 0);
    return Math.max(
      turns[index] ?? 0,
      Math.ceil(sum / limits.maxEventsPerRound),
      Math.ceil(longest / limits.maxEventsPerLog),
    );
  });
  let shares = waiting.map(() => 0);
  for (const wanted of [turns, needs, needs.map((need) => need + spareRounds)]) {
    const left = limits.maxRounds - shares.reduce((sum, share) => sum + share, 0);
    const more = divideFairly(
      left,
      wanted.map((want, index) => Math.max(0, want - (shares[index] ?? 0))),
    );
    shares = shares.map((share, index) => share + (more[index] ?? 0));
  }
  return shares;
}

/** Integrates the waiting logs of a database, and stores where the next pass begins. */
async function integrateDatabase(
  run: Run,
  logs: readonly UnintegratedLog[],
  maxLogs: number,
): Promise<void> {
  let tried = 0;
  try {
    await integrateInOrder(run, logs, (count) => {
      tried = count;
    });
  } finally {
    // Logs that failed had their turn too: the next pass begins after them.
    await endTurn(run.db, "integration", logs, tried, maxLogs);
  }
}

/** Logs what waits in a database when a pass begins. */
function logWaiting(env: Env, db: Database, logs: readonly UnintegratedLog[]): void {
  const { count, since } = sumWaiting(logs);
  const ageMs = since === null ? 0 : Math.max(0, Date.now() - since);
  const shard = listDatabases(env).indexOf(db);
  log("info", "events_waiting", { shard, count, age_seconds: Math.floor(ageMs / 1000) });
}

/** Integrates the logs of all tenants. Never throws: a failure is logged, and the next run continues. */
export async function integrateLogs(
  env: Env,
  now: number,
  limits: IntegrationLimits = integrationLimits,
): Promise<void> {
  const databases = listDatabasesInTurn(env, now, passPeriodMs);
  const waiting = await mapConcurrently(databases, maxConcurrentDatabases, async (db) => {
    let logs: UnintegratedLog[] = [];
    await runJob("audit_seal_failed", async () => {
      logs = await findUnintegrated(db, limits.maxLogs);
      logWaiting(env, db, logs);
    });
    return { db, logs };
  });
  const busy = waiting.filter(({ logs }) => logs.length > 0);
  const shares = divideRounds(
    busy.map(({ logs }) => logs),
    limits,
  );
  const lists = { listsLeft: maxLists };
  await mapConcurrently(busy, maxConcurrentDatabases, async ({ db, logs }, index) => {
    await runJob("audit_seal_failed", async () => {
      const run = createRun(env, db, now, { limits, lists, rounds: shares[index] ?? 0 });
      await integrateDatabase(run, logs, limits.maxLogs);
    });
  });
}

/** Integrates one tenant's log, so that its newest head covers every filed event. @throws StoreError */
export async function integrateLog(env: Env, tenantId: string, now: number): Promise<void> {
  await runInTenantDb(env, tenantId, async (db) => {
    const lists = { listsLeft: maxLists };
    const budget = { limits: integrationLimits, lists, rounds: maxRoundsPerRequest };
    const run = createRun(env, db, now, budget);
    await integrateInOrder(run, await findUnintegrated(db, 1, tenantId));
    if (run.fenced !== undefined) throw run.fenced;
    // Another run was faster, and may not have included the caller's events.
    if (run.putOff > 0) await integrateInOrder(run, await findUnintegrated(db, 1, tenantId));
  });
}
