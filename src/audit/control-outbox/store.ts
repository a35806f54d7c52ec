/** Audit events that wait in `DB` for the database their tenant lives in. */
import { and, asc, eq, inArray, type SQL, sql } from "drizzle-orm";
import { chunkRows, type Database, type Statement, withinStoreTimeout } from "../../db/client.ts";
import { tenants } from "../../db/tables.ts";
import type { StampedEvent } from "../stamp.ts";
import { controlOutbox } from "../tables.ts";

const columns = 3;

/** For the batch that carries out what the events tell of. */
export function enqueueEvents(
  db: Database,
  tenantId: string,
  events: readonly StampedEvent[],
): Statement[] {
  return chunkRows(events, columns).map((some) =>
    db.insert(controlOutbox).values(some.map((event) => ({ tenantId, id: event.id, event }))),
  );
}

/** The same for one event, where the condition holds when the batch runs. */
export function enqueueEventWhere(db: Database, event: StampedEvent, condition: SQL): Statement {
  const { tenantId, id } = event;
  return db
    .insert(controlOutbox)
    .select(sql`SELECT ${tenantId}, ${id}, ${JSON.stringify(event)} WHERE ${condition}`);
}

export interface WaitingEvent {
  readonly event: StampedEvent;
  /** Where the tenant lives now. */
  readonly shard: number;
}

/** Tenants of which something waits. @throws StoreError, as all of these */
export async function listWaitingTenants(db: Database, limit: number): Promise<string[]> {
  const rows = await withinStoreTimeout(
    db.selectDistinct({ tenantId: controlOutbox.tenantId }).from(controlOutbox).limit(limit),
  );
  return rows.map(({ tenantId }) => tenantId);
}

/** In the order of ids, which is that of time. */
export async function listWaitingEvents(
  db: Database,
  tenantId: string,
  limit: number,
): Promise<WaitingEvent[]> {
  return await withinStoreTimeout(
    db
      .select({ event: controlOutbox.event, shard: tenants.shard })
      .from(controlOutbox)
      .innerJoin(tenants, eq(tenants.id, controlOutbox.tenantId))
      .where(eq(controlOutbox.tenantId, tenantId))
      .orderBy(asc(controlOutbox.id))
      .limit(limit),
  );
}

/** @param ids 99 at most */
export async function deleteWaitingEvents(
  db: Database,
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  await withinStoreTimeout(
    db
      .delete(controlOutbox)
      .where(and(eq(controlOutbox.tenantId, tenantId), inArray(controlOutbox.id, [...ids]))),
  );
}
