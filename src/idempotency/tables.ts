/** The table of requests that carried an `Idempotency-Key`. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Requests that carried an `Idempotency-Key`; see idempotency/. */
export const requestKeys = sqliteTable(
  "request_keys",
  {
    /** `operator` for what belongs to no tenant. */
    tenantId: text("tenant_id").notNull(),
    /** SHA-256 over operation and key, hex. */
    key: text().notNull(),
    /** The receipt, sealed. */
    box: text().notNull(),
    /** The time the request ran at. */
    at: integer().notNull(),
    /** Real time from which on the row may go. */
    expiresAt: integer("forget_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] })],
);
