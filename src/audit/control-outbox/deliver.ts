/**
 * Delivers the events in the control outbox: at least once and idempotently, as a guard's outbox does.
 */

import { mapConcurrently } from "../../concurrent.ts";
import { FencedTenantError, runBatch } from "../../db/client.ts";
import { refuseIfLate } from "../../db/lateness.ts";
import { controlDbOf, databaseOf, findShard } from "../../db/shards.ts";
import { endTurn } from "../../db/turns.ts";
import { runJob } from "../../job.ts";
import { causeOf, log } from "../../log.ts";
import type { StampedEvent } from "../event.ts";
import { insertEvents } from "../store.ts";
import {
  deleteWaitingEvents,
  jobOf,
  listWaitingShards,
  listWaitingTenants,
  readWaitingEvents,
  type WaitingEvent,
} from "./store.ts";

/** For each database; further events wait for the next run. */
const maxTenantsPerRun = 200;
const maxEventsPerRun = 1_000;
/** An event is at most 20 KB, and D1 accepts 2 MB in one parameter. */
const maxEventsPerStatement = 99;
/** After so many tenants in a row whose events could not be filed, a run leaves the database. */
const maxFailures = 3;
/** A batch that fails is divided into so many parts, which finds one tenant among 200 in four attempts. */
const partsOfFailedGroup = 8;
/** Batches of one run, over all databases together; each takes two calls of D1. */
const maxAttemptsPerRun = 120;
/** More than it takes to find three tenants that fail. */
const minAttempts = 8;
const maxConcurrentDatabases = 3;

interface Waiting {
  readonly tenantId: string;
  readonly events: readonly WaitingEvent[];
}

function parseEvents(events: readonly WaitingEvent[]): StampedEvent[] {
  return events.map(({ text }) => JSON.parse(text));
}

/** Files the events of these tenants in their database, all or none, and deletes them from the outbox. */
async function deliverTogether(
  env: Env,
  shard: number,
  tenants: readonly Waiting[],
): Promise<void> {
  const db = databaseOf(env, shard);
  const statements = tenants.flatMap(({ tenantId, events }) =>
    Array.from({ length: Math.ceil(events.length / maxEventsPerStatement) }, (_, n) => {
      const from = n * maxEventsPerStatement;
      return insertEvents(
        db,
        tenantId,
        parseEvents(events.slice(from, from + maxEventsPerStatement)),
      );
    }),
  );
  if (statements.length === 0) return;
  await runBatch(db, [...statements, refuseIfLate(db, Date.now())]);
  await deleteWaitingEvents(
    controlDbOf(env),
    tenants.flatMap(({ events }) => events),
  );
}

/**
 * Delivers the events of these tenants in order: of all together, and where that fails, in parts. Ends early if
 * so many tenants fail in a row that the database must be out of reach.
 * @param maxAttempts batches at most
 * @returns how many tenants were tried, from the first on
 */
async function deliverToShard(
  env: Env,
  shard: number,
  tenants: readonly Waiting[],
  maxAttempts: number,
): Promise<number> {
  const groups = [tenants];
  let tried = 0;
  let failures = 0;
  for (let attempts = 0; attempts < maxAttempts && failures < maxFailures; attempts += 1) {
    const group = groups.shift();
    const [first, ...others] = group ?? [];
    if (group === undefined || first === undefined) break;
    try {
      await deliverTogether(env, shard, group);
      failures = 0;
      tried += group.length;
    } catch (error) {
      if (others.length > 0) {
        const size = Math.ceil(group.length / partsOfFailedGroup);
        const parts = Array.from({ length: Math.ceil(group.length / size) }, (_, n) =>
          group.slice(n * size, (n + 1) * size),
        );
        groups.unshift(...parts);
        continue;
      }
      const fields = { tenant_id: first.tenantId, cause: causeOf(error) };
      log("error", "control_events_not_delivered", fields);
      // A tenant that is moving says nothing about its database.
      if (!(error instanceof FencedTenantError)) failures += 1;
      tried += 1;
    }
  }
  return tried;
}

/** Delivers waiting events to one database, for its tenants in turn. */
async function deliverInTurn(env: Env, shard: number, maxAttempts: number): Promise<void> {
  const control = controlDbOf(env);
  const listed = await listWaitingTenants(control, shard, maxTenantsPerRun);
  const perTenant = Math.floor(maxEventsPerRun / Math.max(1, listed.length));
  const ids = listed.map(({ tenantId }) => tenantId);
  const events = await readWaitingEvents(control, ids, perTenant);
  const waiting = ids.map((tenantId) => ({ tenantId, events: events.get(tenantId) ?? [] }));
  const tried = await deliverToShard(env, shard, waiting, maxAttempts);
  await endTurn(control, jobOf(shard), listed, tried, maxTenantsPerRun);
}

async function deliverTenantEvents(env: Env, tenantId: string): Promise<void> {
  const control = controlDbOf(env);
  const [waiting, shard] = await Promise.all([
    readWaitingEvents(control, [tenantId], maxEventsPerRun),
    findShard(control, tenantId),
  ]);
  const events = waiting.get(tenantId);
  if (events === undefined || shard === undefined) return;
  await deliverTogether(env, shard, [{ tenantId, events }]);
}

/**
 * Delivers the waiting events. Never throws: if a database fails or a tenant is moving, a later run delivers
 * its events, and the events of other tenants are delivered now.
 * @param tenantId limits the run to this tenant
 */
export async function deliverControlEvents(env: Env, tenantId?: string): Promise<void> {
  const failure = "control_events_not_delivered";
  if (tenantId !== undefined) {
    await runJob(failure, () => deliverTenantEvents(env, tenantId), { tenant_id: tenantId });
    return;
  }
  await runJob(failure, async () => {
    const shards = await listWaitingShards(controlDbOf(env));
    const maxAttempts = Math.max(minAttempts, Math.floor(maxAttemptsPerRun / shards.length));
    await mapConcurrently(shards, maxConcurrentDatabases, async (shard) => {
      const source = shard === 0 ? "DB" : `DB_${shard}`;
      await runJob(failure, () => deliverInTurn(env, shard, maxAttempts), { source });
    });
  });
}
