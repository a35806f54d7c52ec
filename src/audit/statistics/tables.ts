/** The tables of the statistics. Every row belongs to a tenant and moves with it. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Counts of a tenant's events by the hour of their `at`, over the leaves that `audit_trees.counted_size` covers. */
export const tenantStatistics = sqliteTable(
  "tenant_statistics",
  {
    tenantId: text("tenant_id").notNull(),
    /** Hours since 1970, UTC. */
    hour: integer().notNull(),
    /** JSON: a number for each counter; see count-events.ts. */
    counts: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.hour] })],
);

/**
 * The first accepted verification of an identity in an hour, of leaves that were counted from the archive: D1 has no
 * event by which a later leaf could recognise it.
 */
export const archivedSuccesses = sqliteTable(
  "archived_successes",
  {
    tenantId: text("tenant_id").notNull(),
    identityId: text("identity_id").notNull(),
    hour: integer().notNull(),
    leafIndex: integer("leaf_index").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.identityId, table.hour] })],
);
