/** The table of identities. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Each identity's entry in the directory, and the record from which an empty guard rehydrates. */
export const identities = sqliteTable(
  "identities",
  {
    tenantId: text("tenant_id").notNull(),
    /** Derived from tenant and external_id, so the primary key also makes external_id unique. */
    id: text().notNull(),
    /** Null once erased. */
    externalId: text("external_id"),
    status: text({ enum: ["active", "suspended", "erased"] }).notNull(),
    lockedUntil: integer("locked_until"),
    /** Fixed for one life of the identity. When it changes, a trigger (migration 0005) deletes the assessments. */
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** Grows with every change in the guard, so that a late delivery never overwrites a newer record. */
    version: integer().notNull(),
    /** The guard's state as JSON (secrets sealed, backup codes hashed); null once erased. */
    state: text(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    // Partial: contains only tombstones, which are few.
    index("identities_erased").on(table.updatedAt).where(sql`status = 'erased'`),
  ],
);

/** Spelled as in the partial index, without a parameter, so that SQLite uses it. */
export const isErased = sql`${identities.status} = 'erased'`;
