/** Where a tenant's log ends, and when an event arrived there. */
import { and, eq, sql } from "drizzle-orm";
import { awaitStore, type Database, requestTimeoutMs } from "../db/client.ts";
import { auditEvents } from "./tables.ts";

/** The leaf index that the next event gets. @throws StoreError, as do the functions below */
export async function findLogEnd(
  db: Database,
  tenantId: string,
  timeoutMs = requestTimeoutMs,
): Promise<number> {
  // As insertEvents computes it.
  const last = sql<number>`max(
    coalesce((SELECT max(leaf_index) FROM audit_events WHERE tenant_id = ${tenantId}), -1),
    coalesce((SELECT size FROM audit_trees WHERE tenant_id = ${tenantId}), 0) - 1)`;
  const rows = await awaitStore(db.select({ last }).from(sql`(SELECT 1)`), timeoutMs);
  return (rows[0]?.last ?? -1) + 1;
}

/** When the event at this leaf was filed, Unix ms; undefined if D1 has no such event, or does not know. */
export async function findArrival(
  db: Database,
  tenantId: string,
  leafIndex: number,
): Promise<number | undefined> {
  const rows = await awaitStore(
    db
      .select({ arrivedAt: auditEvents.arrivedAt })
      .from(auditEvents)
      .where(and(eq(auditEvents.tenantId, tenantId), eq(auditEvents.leafIndex, leafIndex)))
      .limit(1),
  );
  return rows[0]?.arrivedAt ?? undefined;
}
