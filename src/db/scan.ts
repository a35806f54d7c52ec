/** Bounds how many rows one page of a list reads if no index serves its filter. */
import { and, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { awaitStore, type Database } from "./client.ts";

/** The bound protects other tenants, which share the database. */
const maxScannedRows = 20_000;

/**
 * Finds the id of the last row that a page may read; undefined if fewer rows remain.
 * @param order the order of the list, by id
 * @throws StoreError
 */
export async function findScanEnd(
  db: Database,
  table: SQLiteTable,
  id: SQLiteColumn,
  conditions: readonly SQL[],
  order: SQL,
): Promise<string | undefined> {
  const rows = await awaitStore(
    db
      .select({ id: sql<string>`${id}` })
      .from(table)
      .where(and(...conditions))
      .orderBy(order)
      .limit(1)
      .offset(maxScannedRows - 1),
  );
  return rows[0]?.id;
}
