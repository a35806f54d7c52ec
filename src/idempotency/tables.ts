/** The table of requests with an `Idempotency-Key`. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const requestKeys = sqliteTable(
  "request_keys",
  {
    /** `operator` for the operator's requests. */
    tenantId: text("tenant_id").notNull(),
    /** SHA-256 over operation and key, hex. */
    key: text().notNull(),
    /** The sealed receipt. */
    box: text().notNull(),
    /** The time that the request ran at, Unix ms. */
    at: integer().notNull(),
    /** Real time after which the row may be deleted, Unix ms. */
    expiresAt: integer("forget_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] })],
);
