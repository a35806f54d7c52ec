/**
 * Destinations, in the control plane. Changes run in one batch with their events; see
 * audit/control-outbox/change.ts.
 */
import { and, asc, eq, sql } from "drizzle-orm";
import {
  awaitStore,
  type Database,
  requestTimeoutMs,
  requireCondition,
  type Statement,
  staleRead,
} from "../db/client.ts";
import { tenants } from "../db/tables.ts";
import { destinations } from "../tenancy/tables.ts";
import { reinstateSealingKey } from "../tenancy/tenant-store.ts";
import type { DestinationKind, DestinationOwner, StoredDestination } from "./destination.ts";

/** The message of `too_many` states them. */
const maxDestinations: Readonly<Record<DestinationKind, number>> = { webhook: 10, stream: 5 };

function isDestination({ tenantId, id }: DestinationOwner) {
  return and(eq(destinations.tenantId, tenantId), eq(destinations.id, id));
}

/** Has the tenant's record name its enabled destinations. It follows the statement that changes them. */
function nameEnabled(db: Database, tenantId: string): Statement {
  const enabled = sql`(SELECT json_group_array(${destinations.id}) FROM ${destinations}
    WHERE ${and(eq(destinations.tenantId, tenantId), eq(destinations.status, "enabled"))})`;
  return db.update(tenants).set({ destinations: enabled }).where(eq(tenants.id, tenantId));
}

/** Inserts a destination. Its batch fails with `too_many` if the tenant has as many of the kind as it may have. */
export function insertDestination(db: Database, row: StoredDestination): Statement[] {
  const { tenantId, kind, credentials } = row;
  const known = sql`(SELECT count(*) FROM ${destinations}
    WHERE ${and(eq(destinations.tenantId, tenantId), eq(destinations.kind, kind))})`;
  return [
    requireCondition(db, sql`${known} < ${maxDestinations[kind]}`, "too_many"),
    db.insert(destinations).values(row),
    nameEnabled(db, tenantId),
    reinstateSealingKey(db, credentials),
  ];
}

/** @throws StoreError, as do all of these */
export async function findDestination(
  db: Database,
  owner: DestinationOwner,
  timeoutMs = requestTimeoutMs,
): Promise<StoredDestination | undefined> {
  const rows = await awaitStore(
    db.select().from(destinations).where(isDestination(owner)).limit(1),
    timeoutMs,
  );
  return rows[0];
}

/** A destination, whether its tenant is in test mode, and the database that has the tenant's log. */
export interface ServedDestination {
  readonly destination: StoredDestination;
  readonly isTest: boolean;
  readonly shard: number;
}

/** Finds what a follower needs to send. */
export async function findServedDestination(
  db: Database,
  owner: DestinationOwner,
  timeoutMs: number,
): Promise<ServedDestination | undefined> {
  const rows = await awaitStore(
    db
      .select({ destination: destinations, mode: tenants.mode, shard: tenants.shard })
      .from(destinations)
      .innerJoin(tenants, eq(tenants.id, destinations.tenantId))
      .where(isDestination(owner))
      .limit(1),
    timeoutMs,
  );
  const [found] = rows;
  if (found === undefined) return undefined;
  const { destination, mode, shard } = found;
  return { destination, isTest: mode === "test", shard };
}

/** Lists a tenant's destinations, oldest first; of all kinds without a kind. */
export async function listDestinations(
  db: Database,
  tenantId: string,
  kind?: DestinationKind,
): Promise<StoredDestination[]> {
  const ofKind = kind === undefined ? undefined : eq(destinations.kind, kind);
  return await awaitStore(
    db
      .select()
      .from(destinations)
      .where(and(eq(destinations.tenantId, tenantId), ofKind))
      .orderBy(asc(destinations.id)),
  );
}

/** How many destinations of all tenants are enabled. */
export async function countEnabled(db: Database): Promise<number> {
  return await awaitStore(db.$count(destinations, eq(destinations.status, "enabled")));
}

/** Lists some enabled destinations of all tenants, others each time. */
export async function listAnyEnabled(db: Database, limit: number): Promise<StoredDestination[]> {
  return await awaitStore(
    db
      .select()
      .from(destinations)
      .where(eq(destinations.status, "enabled"))
      .orderBy(sql`random()`)
      .limit(limit),
  );
}

/** Statements that replace a destination. Their batch throws StaleReadError if it is not as it was read. */
export function replaceDestination(
  db: Database,
  read: StoredDestination,
  changed: StoredDestination,
): Statement[] {
  const { configuration, credentials, status, startedAt, updatedAt } = read;
  const isAsRead = and(
    isDestination(read),
    eq(destinations.configuration, configuration),
    eq(destinations.credentials, credentials),
    eq(destinations.status, status),
    eq(destinations.startedAt, startedAt),
    eq(destinations.updatedAt, updatedAt),
  );
  const { tenantId, id, kind, createdAt, ...columns } = changed;
  return [
    requireCondition(db, sql`EXISTS (SELECT 1 FROM ${destinations} WHERE ${isAsRead})`, staleRead),
    db.update(destinations).set(columns).where(isDestination(read)),
    nameEnabled(db, tenantId),
    reinstateSealingKey(db, changed.credentials),
  ];
}

/** Statements that delete a destination. Their batch fails with `not_found` if there is none. */
export function deleteDestination(db: Database, owner: DestinationOwner): Statement[] {
  const exists = sql`EXISTS (SELECT 1 FROM ${destinations} WHERE ${isDestination(owner)})`;
  return [
    requireCondition(db, exists, "not_found"),
    db.delete(destinations).where(isDestination(owner)),
    nameEnabled(db, owner.tenantId),
  ];
}
