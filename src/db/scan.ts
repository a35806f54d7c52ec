/** Lists with a filter that no index serves: how far one page looks. */
import { and, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { type Database, withinStoreTimeout } from "./client.ts";

/** Rows a page may look at, so that its cost has a bound: other tenants wait for the same database. */
const maxScanned = 20_000;

/**
 * The id of the last row that a page may look at; undefined where that is all there are.
 * @param order of the list, by id. @throws StoreError
 */
export async function findScanEnd(
  db: Database,
  table: SQLiteTable,
  id: SQLiteColumn,
  conditions: readonly SQL[],
  order: SQL,
): Promise<string | undefined> {
  const rows = await withinStoreTimeout(
    db
      .select({ id: sql<string>`${id}` })
      .from(table)
      .where(and(...conditions))
      .orderBy(order)
      .limit(1)
      .offset(maxScanned - 1),
  );
  return rows[0]?.id;
}
