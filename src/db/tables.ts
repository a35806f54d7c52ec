/** The tables that record which database has which tenant's data. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { jurisdictions } from "../location.ts";

export const tenants = sqliteTable("tenants", {
  id: text().primaryKey(),
  name: text().notNull(),
  mode: text({ enum: ["live", "test"] }).notNull(),
  /** Where the tenant's objects must be; null: anywhere. Neither this nor `mode` ever changes. */
  jurisdiction: text({ enum: jurisdictions }),
  /**
   * The fields that the tenant has set, as JSON (tenancy/settings.ts). Absent fields have their defaults.
   */
  settings: text().notNull().default("{}"),
  createdAt: integer("created_at").notNull(),
  /** The database with the tenant's data: 0 is `DB`, 1 `DB_1` and so on; see shards.ts. */
  shard: integer().notNull().default(0),
});

/**
 * The tenants that have left this database, or are about to leave it or arrive. Triggers (migration 0004)
 * refuse every write of their data here, also from an isolate with a stale cache.
 */
export const tenantFences = sqliteTable("tenant_fences", {
  tenantId: text("tenant_id").primaryKey(),
  /** `copying` exists only within the batch that copies rows; it replaces `arriving`. */
  state: text({ enum: ["leaving", "left", "arriving", "copying", "here"] }).notNull(),
  /** The id of the relocation that set the fence. Only the same or a later relocation may change it. */
  relocationId: text("move").notNull(),
});

/** Where the next run of a scheduled job begins in this database; see turns.ts. */
export const jobCursors = sqliteTable("job_cursors", {
  job: text().primaryKey(),
  /** The tenant id with which the last run ended. */
  cursor: text().notNull(),
});
