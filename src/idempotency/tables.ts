/** The table of kept requests. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Requests with an `Idempotency-Key`, kept so that a repeated request gets the first answer. */
export const requestKeys = sqliteTable(
  "request_keys",
  {
    /** `operator` for the operator's requests. */
    tenantId: text("tenant_id").notNull(),
    /** SHA-256 over operation and key, hex. */
    key: text().notNull(),
    /** The sealed receipt. */
    box: text().notNull(),
    /** The time at which the request ran, Unix ms. */
    at: integer().notNull(),
    /** Real time, Unix ms: from then on the row may be deleted. */
    expiresAt: integer("forget_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] })],
);
