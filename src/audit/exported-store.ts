/** What a range of the log consists of, for the report of its export. */
import { and, count, eq, gte, lt } from "drizzle-orm";
import { awaitStore, type Database } from "../db/client.ts";
import { auditEvents } from "./tables.ts";

/**
 * Counts the events `audit.exported` with `from` ≤ leaf index < `below` in D1. It reads the whole range.
 * @throws StoreError
 */
export async function countExportReports(
  db: Database,
  tenantId: string,
  { from, below }: { readonly from: number; readonly below: number },
): Promise<number> {
  const { leafIndex, action } = auditEvents;
  const inRange = and(
    eq(auditEvents.tenantId, tenantId),
    gte(leafIndex, from),
    lt(leafIndex, below),
    eq(action, "audit.exported"),
  );
  const rows = await awaitStore(db.select({ n: count() }).from(auditEvents).where(inRange));
  return rows[0]?.n ?? 0;
}
