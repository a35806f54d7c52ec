/** Audit events in D1. Rows are only ever inserted, and leave for the archive when they are old. */
import { and, asc, desc, eq, gte, inArray, lt, type SQL, sql } from "drizzle-orm";
import { isResident, selectResidentTenants } from "../db/tenant-fence.ts";
import { type Database, type Statement, withinStoreTimeout } from "../db/client.ts";
import { findScanEnd } from "../db/scan.ts";
import { identities } from "../identity/tables.ts";
import type { AuditAction, AuditOutcome } from "./event.ts";
import type { AuditKey } from "./personal.ts";
import type { StampedEvent, StoredEvent } from "./stamp.ts";
import { auditEvents, auditTrees } from "./tables.ts";

/**
 * Files a tenant's events at the end of its log. One that is already there stays as it is, so a
 * delivery can be repeated. D1 runs one write at a time: places are given out without gap or
 * double, and after whatever has been sealed, should its rows be gone.
 */
export function insertEvents(
  db: Database,
  tenantId: string,
  events: readonly StampedEvent[],
): Statement {
  const rows = events.map((event) => ({ ...event, details: JSON.stringify(event.details) }));
  const field = (name: keyof StampedEvent) => sql.raw(`item.value ->> '${name}'`);
  const last = sql`max(
    coalesce((SELECT max(leaf_index) FROM audit_events WHERE tenant_id = ${tenantId}), -1),
    coalesce((SELECT size FROM audit_trees WHERE tenant_id = ${tenantId}), 0) - 1)`;
  // In the order of the table's columns.
  return db.insert(auditEvents).select(sql`
    SELECT ${tenantId}, ${last} + row_number() OVER (ORDER BY item.key), ${field("id")}, ${field("at")},
      ${field("actorType")}, ${field("actorId")}, ${field("action")}, ${field("targetType")},
      ${field("targetId")}, ${field("personalKey")}, ${field("personal")},
      ${field("personalDigest")}, ${field("outcome")}, ${field("reason")}, ${field("requestId")},
      ${field("details")}, ${field("stamp")}
    FROM json_each(${JSON.stringify(rows)}) AS item
    WHERE NOT EXISTS (SELECT 1 FROM audit_events AS known
      WHERE known.tenant_id = ${tenantId} AND known.id = item.value ->> 'id')`);
}

export interface EventFilter {
  readonly action?: AuditAction | undefined;
  readonly outcome?: AuditOutcome | undefined;
  /** The identity that is there now: what was before its erasure belongs to nobody. */
  readonly identityId?: string | undefined;
  /** Ids from this one on, inclusive: a bound by time (see firstIdAt). */
  readonly fromId?: string | undefined;
  /** Ids below this one. */
  readonly belowIds: readonly string[];
}

/** What an index serves. */
function buildIndexedConditions(tenantId: string, filter: EventFilter): SQL[] {
  const conditions: SQL[] = [eq(auditEvents.tenantId, tenantId)];
  if (filter.identityId !== undefined) {
    conditions.push(eq(auditEvents.targetId, filter.identityId));
  }
  if (filter.fromId !== undefined) conditions.push(gte(auditEvents.id, filter.fromId));
  for (const id of filter.belowIds) conditions.push(lt(auditEvents.id, id));
  return conditions;
}

/** What none serves: each row is looked at. */
function buildScannedConditions(tenantId: string, filter: EventFilter): SQL[] {
  const wanted: SQL[] = [];
  if (filter.identityId !== undefined) {
    const keyNow = sql`(SELECT ${identities.state} ->> '$.auditKey.id' FROM ${identities}
      WHERE ${identities.tenantId} = ${tenantId} AND ${identities.id} = ${filter.identityId})`;
    wanted.push(eq(auditEvents.personalKey, keyNow));
  }
  if (filter.action !== undefined) wanted.push(eq(auditEvents.action, filter.action));
  if (filter.outcome !== undefined) wanted.push(eq(auditEvents.outcome, filter.outcome));
  return wanted;
}

/** A page of events, the newest first. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** The id after which the next page begins; null on the last. */
  readonly nextAfter: string | null;
}

/**
 * The newest events first, `limit` at most. With a filter a page looks at 20,000 events at most; it may
 * then be short, and the next one goes on from there.
 */
export async function listEvents(
  db: Database,
  tenantId: string,
  filter: EventFilter,
  limit: number,
): Promise<EventPage> {
  const wanted = buildScannedConditions(tenantId, filter);
  const conditions = buildIndexedConditions(tenantId, filter);
  const byId = desc(auditEvents.id);
  const end =
    wanted.length === 0
      ? undefined
      : await findScanEnd(db, auditEvents, auditEvents.id, conditions, byId);
  if (end !== undefined) conditions.push(gte(auditEvents.id, end));
  const rows = await withinStoreTimeout(
    db
      .select()
      .from(auditEvents)
      .where(and(...conditions, ...wanted))
      .orderBy(byId)
      .limit(limit + 1),
  );
  const events = rows.slice(0, limit);
  const lastShown = events.at(-1)?.id ?? null;
  return { events, nextAfter: rows.length > limit ? lastShown : (end ?? null) };
}

export async function findEvent(
  db: Database,
  tenantId: string,
  id: string,
): Promise<StoredEvent | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select()
      .from(auditEvents)
      .where(and(eq(auditEvents.tenantId, tenantId), eq(auditEvents.id, id)))
      .limit(1),
  );
  return rows[0];
}

/** Events in the order of the log, from a leaf on, below another. */
export async function readEvents(
  db: Database,
  tenantId: string,
  from: number,
  below: number,
  limit: number,
): Promise<StoredEvent[]> {
  return await withinStoreTimeout(
    db
      .select()
      .from(auditEvents)
      .where(
        and(
          eq(auditEvents.tenantId, tenantId),
          gte(auditEvents.leafIndex, from),
          lt(auditEvents.leafIndex, below),
        ),
      )
      .orderBy(asc(auditEvents.leafIndex))
      .limit(limit),
  );
}

/** The first leaf that is in D1; undefined where none is. */
export async function findFirstLeafIndex(
  db: Database,
  tenantId: string,
): Promise<number | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select({ leafIndex: auditEvents.leafIndex })
      .from(auditEvents)
      .where(eq(auditEvents.tenantId, tenantId))
      .orderBy(asc(auditEvents.leafIndex))
      .limit(1),
  );
  return rows[0]?.leafIndex;
}

/** Takes sealed events below a leaf out of D1; none of a tenant that is moving. */
export async function deleteEventsBelow(
  db: Database,
  tenantId: string,
  leafIndex: number,
): Promise<void> {
  const size = db
    .select({ size: auditTrees.size })
    .from(auditTrees)
    .where(eq(auditTrees.tenantId, tenantId));
  await withinStoreTimeout(
    db
      .delete(auditEvents)
      .where(
        and(
          eq(auditEvents.tenantId, tenantId),
          lt(auditEvents.leafIndex, leafIndex),
          lt(auditEvents.leafIndex, size),
          isResident(auditEvents.tenantId),
        ),
      ),
  );
}

/** The audit keys of these identities, as they are now. An erased one has none. */
export async function findAuditKeys(
  db: Database,
  tenantId: string,
  identityIds: readonly string[],
): Promise<Map<string, AuditKey>> {
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify(identityIds)}))`;
  const rows = await withinStoreTimeout(
    db
      .select({
        identityId: identities.id,
        id: sql<string | null>`${identities.state} ->> '$.auditKey.id'`,
        sealed: sql<string | null>`${identities.state} ->> '$.auditKey.sealed'`,
      })
      .from(identities)
      .where(and(eq(identities.tenantId, tenantId), inArray(identities.id, ids))),
  );
  return new Map(
    rows.flatMap(({ identityId, id, sealed }) =>
      id === null || sealed === null ? [] : [[identityId, { id, sealed }] as const],
    ),
  );
}

/** A log, and when its oldest event in D1 happened, Unix ms. */
export interface OldestEvent {
  readonly tenantId: string;
  readonly at: number;
}

/** Logs whose oldest event in D1 is from before the given time. */
export async function findLogsOlderThan(db: Database, before: number): Promise<OldestEvent[]> {
  const tenantId = sql<string>`home.id`;
  const at = sql<number>`(SELECT ${auditEvents.at} FROM ${auditEvents}
    WHERE ${auditEvents.tenantId} = ${tenantId} ORDER BY ${auditEvents.leafIndex} LIMIT 1)`;
  return await withinStoreTimeout(
    db
      .select({ tenantId, at })
      .from(sql`${selectResidentTenants(auditEvents)} AS home`)
      .where(lt(at, before)),
  );
}
