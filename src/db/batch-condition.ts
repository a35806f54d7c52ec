/** Conditions on which a whole batch depends. */
import { type SQL, sql } from "drizzle-orm";
import type { Database, Statement } from "./client.ts";

/**
 * A statement that fails the batch unless the condition holds when the batch runs. Then nothing of the batch
 * is applied, and it throws UnmetConditionError. Outside a trigger, SQLite raises an error only from a
 * function that rejects its argument.
 */
export function requireCondition(db: Database, condition: SQL): Statement {
  const checked = sql`json(CASE WHEN ${condition} THEN 'true' ELSE 'condition not met' END)`;
  // Drizzle cannot put a raw statement with parameters into a batch of D1, hence the query of one row.
  return db.select({ checked }).from(sql`(SELECT 1)`);
}
