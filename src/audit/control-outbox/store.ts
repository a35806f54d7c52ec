/** The control outbox: events that wait in `DB` for their tenant's database. */
import { and, asc, eq, inArray, type SQL, sql } from "drizzle-orm";
import { awaitStore, chunkRows, type Database, type Statement } from "../../db/client.ts";
import { tenants } from "../../db/tables.ts";
import type { StampedEvent } from "../event.ts";
import { controlOutbox } from "../tables.ts";

const columnCount = 3;

/** Enqueues events. The statements belong in the batch that applies the reported change. */
export function enqueueEvents(
  db: Database,
  tenantId: string,
  events: readonly StampedEvent[],
): Statement[] {
  return chunkRows(events, columnCount).map((some) =>
    db.insert(controlOutbox).values(some.map((event) => ({ tenantId, id: event.id, event }))),
  );
}

/** Enqueues one event if the condition holds when the batch runs. */
export function enqueueEventIf(db: Database, event: StampedEvent, condition: SQL): Statement {
  const { tenantId, id } = event;
  return db
    .insert(controlOutbox)
    .select(sql`SELECT ${tenantId}, ${id}, ${JSON.stringify(event)} WHERE ${condition}`);
}

/** Lists the tenants with waiting events. @throws StoreError, as do the functions below */
export async function listWaitingTenants(db: Database, limit: number): Promise<string[]> {
  const rows = await awaitStore(
    db.selectDistinct({ tenantId: controlOutbox.tenantId }).from(controlOutbox).limit(limit),
  );
  return rows.map(({ tenantId }) => tenantId);
}

/** Lists a tenant's waiting events, oldest first, with the shard where the tenant's data is now. */
export async function listWaitingEvents(
  db: Database,
  tenantId: string,
  limit: number,
): Promise<{ readonly event: StampedEvent; readonly shard: number }[]> {
  return await awaitStore(
    db
      .select({ event: controlOutbox.event, shard: tenants.shard })
      .from(controlOutbox)
      .innerJoin(tenants, eq(tenants.id, controlOutbox.tenantId))
      .where(eq(controlOutbox.tenantId, tenantId))
      .orderBy(asc(controlOutbox.id))
      .limit(limit),
  );
}

/** @param ids at most 99 */
export async function deleteWaitingEvents(
  db: Database,
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  await awaitStore(
    db
      .delete(controlOutbox)
      .where(and(eq(controlOutbox.tenantId, tenantId), inArray(controlOutbox.id, [...ids]))),
  );
}
