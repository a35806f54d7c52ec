/** Deletes many rows in several statements, because D1 ends a statement after 30 s and then deletes nothing. */
import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { awaitStore, type Database } from "./client.ts";

/** Rows that one statement deletes at most. */
export const maxRowsPerStep = 5_000;
/** Statements of one run for one table. The next run continues. */
const defaultMaxSteps = 5;

/**
 * Deletes until a step finds fewer rows than it may delete.
 * @param deleteSome deletes `limit` rows at most. @returns how many it has deleted
 */
export async function deleteInSteps(
  deleteSome: (limit: number) => Promise<number>,
  maxSteps = defaultMaxSteps,
): Promise<void> {
  for (let step = 0; step < maxSteps; step += 1) {
    if ((await deleteSome(maxRowsPerStep)) < maxRowsPerStep) return;
  }
}

/** Deletes the rows of a table for which the condition holds, in steps. @throws StoreError */
export async function deleteWhere(
  db: Database,
  table: SQLiteTable,
  primaryKey: readonly SQLiteColumn[],
  condition: SQL | undefined,
): Promise<void> {
  const key = sql.join([...primaryKey], sql`, `);
  await deleteInSteps(async (limit) => {
    const some = db.select({ key }).from(table).where(condition).limit(limit);
    const { meta } = await awaitStore(db.delete(table).where(sql`(${key}) IN ${some}`));
    return meta.changes;
  });
}
