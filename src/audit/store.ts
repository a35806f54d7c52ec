/**
 * Audit events in D1. Rows are inserted, and deleted once they are in the archive. The only update removes personal
 * parts that have expired.
 */
import { and, asc, desc, eq, gte, isNotNull, lt, type SQL, sql } from "drizzle-orm";
import { shortenDigest } from "../crypto/short-hex.ts";
import {
  awaitStore,
  type Database,
  d1Now,
  requireCondition,
  type Statement,
  staleRead,
} from "../db/client.ts";
import { prepareStatement } from "../db/prepared.ts";
import { findScanEnd } from "../db/scan.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { isResident, selectResidentTenants } from "../db/tenant-fence.ts";
import { orderInTurn } from "../db/turns.ts";
import { identities } from "../identity/tables.ts";
import type {
  AcceptedStep,
  Actor,
  AuditAction,
  AuditOutcome,
  FiledEvent,
  StoredEvent,
} from "./event.ts";
import { recordAcceptedCodes } from "./record-store.ts";
import { shortenStamp } from "./stamp.ts";
import { auditEvents, auditTrees, eventColumns } from "./tables.ts";

/**
 * Files a tenant's events at the end of its log. An event that is already there stays as it is, so a
 * delivery can be repeated. One that was probably delivered before is not filed if the archive has the events of its
 * time. D1 runs one write at a time, so leaf indexes have no gaps or duplicates. They continue after the tree, whose
 * oldest events may be in the archive. Goes before `saveRecord` in the same batch.
 */
export function insertEvents(
  db: Database,
  tenantId: string,
  events: readonly FiledEvent[],
): Statement {
  const rows = events.map((event) => ({
    ...event,
    ...event.accepted,
    personalDigest: event.personalDigest && shortenDigest(event.personalDigest),
    details: JSON.stringify(event.details),
    stamp: shortenStamp(event.stamp),
  }));
  return insertRows(db, { tenantId, rows: JSON.stringify(rows) });
}

interface InsertedRows {
  readonly tenantId: string;
  /** A JSON array of events. */
  readonly rows: string;
}

const insertRows = prepareStatement<InsertedRows>((db, value) => {
  const tenantId = value("tenantId");
  const field = (name: keyof FiledEvent | keyof AcceptedStep) =>
    sql.raw(`item.value ->> '${name}'`);
  const last = sql`max(
    coalesce((SELECT max(leaf_index) FROM audit_events WHERE tenant_id = ${tenantId}), -1),
    coalesce((SELECT size FROM audit_trees WHERE tenant_id = ${tenantId}), 0) - 1)`;
  // In the order of the table's columns.
  return db.insert(auditEvents).select(sql`
    SELECT ${tenantId}, ${last} + row_number() OVER (ORDER BY item.key), ${field("id")}, ${field("at")},
      ${field("actorType")}, ${field("actorId")}, ${field("action")}, ${field("targetType")},
      ${field("targetId")}, ${field("personalKey")}, ${field("personal")},
      ${field("personalDigest")}, ${field("outcome")}, ${field("reason")}, ${field("requestId")},
      ${field("details")}, ${field("stamp")}, ${d1Now}, ${field("secretId")}, ${field("timeStep")}
    FROM json_each(${value("rows")}) AS item
    WHERE NOT EXISTS (SELECT 1 FROM audit_events AS known
      WHERE known.tenant_id = ${tenantId} AND known.id = ${field("id")})
    AND NOT (${field("repeatedSince")} IS NOT NULL AND ${field("repeatedSince")} < coalesce(
      (SELECT coalesce(arrived_at, 0) FROM audit_events WHERE tenant_id = ${tenantId}
        ORDER BY leaf_index LIMIT 1), ${d1Now} + ${field("repeatedSince")}))`);
});

export interface EventFilter {
  readonly action?: AuditAction | undefined;
  readonly outcome?: AuditOutcome | undefined;
  readonly reason?: string | undefined;
  readonly actor?: Actor | undefined;
  /** Only events about identities whose personal parts are neither erased nor expired, or not yet known to be. */
  readonly hasPersonalParts?: boolean;
  /** Only events since the identity was last provisioned: those before an erasure are not its own. */
  readonly identityId?: string | undefined;
  /** The lowest id, inclusive: a bound by time (see firstIdOf). */
  readonly fromId?: string | undefined;
  /** Upper bounds of the ids, exclusive. */
  readonly belowIds: readonly string[];
}

/** The conditions that an index serves. */
function buildIndexedConditions(tenantId: string, filter: EventFilter): SQL[] {
  const conditions: SQL[] = [eq(auditEvents.tenantId, tenantId)];
  if (filter.identityId !== undefined) {
    conditions.push(eq(auditEvents.targetId, filter.identityId));
  }
  if (filter.fromId !== undefined) conditions.push(gte(auditEvents.id, filter.fromId));
  for (const id of filter.belowIds) conditions.push(lt(auditEvents.id, id));
  return conditions;
}

/** The conditions that no index serves: D1 reads each row. */
function buildScannedConditions(tenantId: string, filter: EventFilter): SQL[] {
  const conditions: SQL[] = [];
  if (filter.identityId !== undefined) {
    const currentKey = sql`(SELECT ${identities.state} ->> '$.auditKey.id' FROM ${identities}
      WHERE ${identities.tenantId} = ${tenantId} AND ${identities.id} = ${filter.identityId})`;
    // The name of a derived key begins with the id of the audit key.
    const { personalKey } = auditEvents;
    conditions.push(sql`instr(${personalKey} || '@', ${currentKey} || '@') = 1`);
  }
  if (filter.action !== undefined) conditions.push(eq(auditEvents.action, filter.action));
  if (filter.outcome !== undefined) conditions.push(eq(auditEvents.outcome, filter.outcome));
  if (filter.reason !== undefined) conditions.push(eq(auditEvents.reason, filter.reason));
  if (filter.actor !== undefined) {
    const { type, id } = filter.actor;
    conditions.push(eq(auditEvents.actorType, type));
    if (id !== null) conditions.push(eq(auditEvents.actorId, id));
  }
  if (filter.hasPersonalParts) {
    conditions.push(eq(auditEvents.targetType, "identity"), isNotNull(auditEvents.personal));
  }
  return conditions;
}

/** Newest first. */
export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** The id after which the next page begins; null on the last page. */
  readonly nextAfter: string | null;
}

/**
 * Lists at most `limit` events, newest first. With a filter that no index serves, a page reads at most
 * 20,000 events: it may then be short, and the next page continues where it ended.
 */
export async function listEvents(
  db: Database,
  tenantId: string,
  filter: EventFilter,
  limit: number,
): Promise<EventPage> {
  const scanned = buildScannedConditions(tenantId, filter);
  const indexed = buildIndexedConditions(tenantId, filter);
  const byId = desc(auditEvents.id);
  const end =
    scanned.length === 0
      ? undefined
      : await findScanEnd(db, auditEvents, auditEvents.id, indexed, byId);
  if (end !== undefined) indexed.push(gte(auditEvents.id, end));
  const rows = await awaitStore(
    db
      .select(eventColumns)
      .from(auditEvents)
      .where(and(...indexed, ...scanned))
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
  const rows = await awaitStore(
    db
      .select(eventColumns)
      .from(auditEvents)
      .where(and(eq(auditEvents.tenantId, tenantId), eq(auditEvents.id, id)))
      .limit(1),
  );
  return rows[0];
}

/** Reads the events with `from` ≤ leaf index < `below`, in the order of the log. */
export async function readEvents(
  db: Database,
  tenantId: string,
  from: number,
  below: number,
  limit: number,
): Promise<StoredEvent[]> {
  return await awaitStore(
    db
      .select(eventColumns)
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

/** The lowest leaf index in D1; undefined if D1 has no event of the tenant. */
export async function findFirstLeafIndex(
  db: Database,
  tenantId: string,
): Promise<number | undefined> {
  const rows = await awaitStore(
    db
      .select({ leafIndex: auditEvents.leafIndex })
      .from(auditEvents)
      .where(eq(auditEvents.tenantId, tenantId))
      .orderBy(asc(auditEvents.leafIndex))
      .limit(1),
  );
  return rows[0]?.leafIndex;
}

/**
 * Deletes the oldest events from D1, which are integrated and in the archive, unless the tenant is moving.
 * @param events all that D1 has up to the last of them
 * @throws StaleReadError if the personal parts of one of them were removed meanwhile
 */
export async function deleteArchivedEvents(
  db: Database,
  tenantId: string,
  events: readonly StoredEvent[],
): Promise<void> {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return;
  const leafIndex = last.leafIndex + 1;
  const withParts = events.filter(({ personal }) => personal !== null).length;
  const isUnchanged = sql`(SELECT count(${auditEvents.personal}) FROM ${auditEvents}
    WHERE ${auditEvents.tenantId} = ${tenantId} AND ${auditEvents.leafIndex} >= ${first.leafIndex}
      AND ${auditEvents.leafIndex} < ${leafIndex}) = ${withParts}`;
  const size = db
    .select({ size: auditTrees.size })
    .from(auditTrees)
    .where(eq(auditTrees.tenantId, tenantId));
  await runEssentialBatch(db, [
    requireCondition(db, isUnchanged, staleRead),
    recordAcceptedCodes(db, tenantId, leafIndex),
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
  ]);
}

/**
 * When an event arrived, Unix ms. For an event of an older build this is `at`; if `at` is in the future, it is of a
 * test clock, and 0 makes the event as old as those after it, because a log is in the order of arrival.
 */
export function arrivalOf(now: number): SQL<number> {
  const { arrivedAt, at } = auditEvents;
  return sql<number>`coalesce(${arrivedAt}, iif(${at} > ${now}, 0, ${at}))`;
}

/**
 * Finds the logs whose oldest event in D1 arrived before the given time, and when it arrived, Unix ms, in turn for
 * the archive.
 * @param now real time, Unix ms
 */
export async function findLogsOlderThan(
  db: Database,
  before: number,
  now: number,
): Promise<{ readonly tenantId: string; readonly oldestAt: number }[]> {
  const tenantId = sql<string>`resident.id`;
  const oldestAt = sql<number>`(SELECT ${arrivalOf(now)} FROM ${auditEvents}
    WHERE ${auditEvents.tenantId} = ${tenantId} ORDER BY ${auditEvents.leafIndex} LIMIT 1)`;
  return await awaitStore(
    db
      .select({ tenantId, oldestAt })
      .from(sql`${selectResidentTenants(auditEvents)} AS resident`)
      .where(lt(oldestAt, before))
      .orderBy(orderInTurn("archive", tenantId)),
  );
}

/**
 * Finds the first of the leaves with `from` ≤ leaf index < `below` that arrived at `since` or later; `below` if
 * none did. @param now real time, Unix ms
 */
export async function findFirstArrivedSince(
  db: Database,
  tenantId: string,
  { from, below }: { readonly from: number; readonly below: number },
  since: number,
  now: number,
): Promise<number> {
  const { leafIndex } = auditEvents;
  const rows = await awaitStore(
    db
      .select({ leafIndex })
      .from(auditEvents)
      .where(
        and(
          eq(auditEvents.tenantId, tenantId),
          gte(leafIndex, from),
          lt(leafIndex, below),
          gte(arrivalOf(now), since),
        ),
      )
      .orderBy(asc(leafIndex))
      .limit(1),
  );
  return rows[0]?.leafIndex ?? below;
}
