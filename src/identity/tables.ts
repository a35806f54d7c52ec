/** The table of identities. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** The directory entry of an identity, and the record from which an empty guard rehydrates. */
export const identities = sqliteTable(
  "identities",
  {
    tenantId: text("tenant_id").notNull(),
    /** Derived from tenant and external_id, so this key also keeps external_id unique. */
    id: text().notNull(),
    /** Null once erased. */
    externalId: text("external_id"),
    status: text({ enum: ["active", "suspended", "erased"] }).notNull(),
    lockedUntil: integer("locked_until"),
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** Grows with every change in the guard, so that a late delivery does not overwrite a newer one. */
    version: integer().notNull(),
    /** The guard's state as JSON, with sealed secrets and hashed backup codes; null once erased. */
    state: text(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    // Partial: it costs nothing for other identities, and finds the few tombstones at once.
    index("identities_erased").on(table.updatedAt).where(sql`status = 'erased'`),
  ],
);

/** Written as in the partial index, without a parameter, so that SQLite uses the index. */
export const isErased = sql`${identities.status} = 'erased'`;
