/** Audit events in D1. Rows are only ever inserted; erasure takes the person's name out of them. */
import { and, desc, eq, gte, isNotNull, lt, type SQL } from "drizzle-orm";
import { chunked, type Database, type Statement, withinStoreTimeout } from "../db/client.ts";
import { auditEvents } from "../db/schema.ts";
import type { AuditAction, AuditEvent, AuditOutcome } from "./event.ts";

const columnCount = 13;

/** Files the events; one that is already there stays as it is, so a delivery can be repeated. */
export function insertEvents(db: Database, events: readonly AuditEvent[]): Statement[] {
  const rows = events.map((event) => ({
    tenantId: event.tenantId,
    id: event.id,
    at: event.at,
    actorType: event.actor.type,
    actorId: event.actor.id,
    action: event.action,
    targetType: event.target.type,
    targetId: event.target.id,
    externalId: event.target.externalId,
    outcome: event.outcome,
    reason: event.reason,
    requestId: event.requestId,
    details: event.details,
  }));
  return chunked(rows, columnCount).map((chunk) =>
    db.insert(auditEvents).values(chunk).onConflictDoNothing(),
  );
}

/** Takes the external_id of an identity out of all its events. A repetition writes nothing. */
export function forgetName(db: Database, tenantId: string, identityId: string): Statement {
  return db
    .update(auditEvents)
    .set({ externalId: null })
    .where(
      and(
        eq(auditEvents.tenantId, tenantId),
        eq(auditEvents.targetId, identityId),
        isNotNull(auditEvents.externalId),
      ),
    );
}

export interface EventFilter {
  readonly action?: AuditAction | undefined;
  readonly outcome?: AuditOutcome | undefined;
  /** The identity that goes by this external_id now: what was before its erasure has no name. */
  readonly identity?: { readonly id: string; readonly externalId: string } | undefined;
  /** Ids from this one on, inclusive: a bound by time (see firstIdAt). */
  readonly fromId?: string | undefined;
  /** Ids below this one. */
  readonly belowIds: readonly string[];
}

/** The newest events first, `limit` at most. */
export async function listEvents(
  db: Database,
  tenantId: string,
  filter: EventFilter,
  limit: number,
): Promise<AuditEvent[]> {
  const conditions: SQL[] = [eq(auditEvents.tenantId, tenantId)];
  if (filter.action !== undefined) conditions.push(eq(auditEvents.action, filter.action));
  if (filter.outcome !== undefined) conditions.push(eq(auditEvents.outcome, filter.outcome));
  if (filter.identity !== undefined) {
    conditions.push(eq(auditEvents.targetId, filter.identity.id));
    conditions.push(eq(auditEvents.externalId, filter.identity.externalId));
  }
  if (filter.fromId !== undefined) conditions.push(gte(auditEvents.id, filter.fromId));
  for (const id of filter.belowIds) conditions.push(lt(auditEvents.id, id));
  const rows = await withinStoreTimeout(
    db
      .select()
      .from(auditEvents)
      .where(and(...conditions))
      .orderBy(desc(auditEvents.id))
      .limit(limit),
  );
  return rows.map((row) => ({
    id: row.id,
    tenantId: row.tenantId,
    at: row.at,
    actor: { type: row.actorType, id: row.actorId },
    action: row.action,
    target: { type: row.targetType, id: row.targetId, externalId: row.externalId },
    outcome: row.outcome,
    reason: row.reason,
    requestId: row.requestId,
    details: row.details,
  }));
}
