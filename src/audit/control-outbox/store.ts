/** The control outbox: events that wait in `DB` for their tenant's database. */
import { eq, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import { awaitStore, chunkRows, type Database, type Statement } from "../../db/client.ts";
import { tenants } from "../../db/tables.ts";
import { type JobName, orderInTurn } from "../../db/turns.ts";
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

/** Lists the shards for whose tenants events wait. @throws StoreError, as do the functions below */
export async function listWaitingShards(db: Database): Promise<number[]> {
  const rows = await awaitStore(
    db
      .selectDistinct({ shard: tenants.shard })
      .from(controlOutbox)
      .innerJoin(tenants, eq(tenants.id, controlOutbox.tenantId)),
  );
  return rows.map(({ shard }) => shard);
}

export function jobOf(shard: number): JobName {
  return `control_outbox_${shard}`;
}

/** Lists tenants of the shard with waiting events, in turn. */
export async function listWaitingTenants(
  db: Database,
  shard: number,
  limit: number,
): Promise<{ readonly tenantId: string }[]> {
  return await awaitStore(
    db
      .selectDistinct({ tenantId: controlOutbox.tenantId })
      .from(controlOutbox)
      .innerJoin(tenants, eq(tenants.id, controlOutbox.tenantId))
      .where(eq(tenants.shard, shard))
      .orderBy(orderInTurn(jobOf(shard), controlOutbox.tenantId))
      .limit(limit),
  );
}

/** An event in the outbox. Its text is parsed later, so that an altered one fails no other tenant's events. */
export interface WaitingEvent {
  readonly tenantId: string;
  readonly id: string;
  readonly text: string;
}

const waitingEvent = z.object({ tenantId: z.string(), id: z.string(), text: z.string() });

/** Reads waiting events of tenants, oldest first, at most `limit` of each. @returns them by tenant id */
export async function readWaitingEvents(
  db: Database,
  tenantIds: readonly string[],
  limit: number,
): Promise<Map<string, WaitingEvent[]>> {
  const rows = await awaitStore(
    db.all(sql`
      SELECT tenant_id AS tenantId, control_outbox.id AS id, event AS text
      FROM json_each(${JSON.stringify(tenantIds)}) AS wanted
      CROSS JOIN control_outbox ON tenant_id = wanted.value AND control_outbox.id IN (
        SELECT first.id FROM control_outbox AS first
        WHERE first.tenant_id = wanted.value ORDER BY first.id LIMIT ${limit})
      ORDER BY tenant_id, control_outbox.id`),
  );
  return Map.groupBy(z.array(waitingEvent).parse(rows), ({ tenantId }) => tenantId);
}

export async function deleteWaitingEvents(
  db: Database,
  events: readonly WaitingEvent[],
): Promise<void> {
  const keys = events.map(({ tenantId, id }) => ({ tenantId, id }));
  await awaitStore(
    db.delete(controlOutbox).where(
      sql`(${controlOutbox.tenantId}, ${controlOutbox.id}) IN
        (SELECT value ->> 'tenantId', value ->> 'id' FROM json_each(${JSON.stringify(keys)}))`,
    ),
  );
}
