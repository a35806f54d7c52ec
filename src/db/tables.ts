/** The tables that say which database has which tenant. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { jurisdictions } from "../location.ts";

export const tenants = sqliteTable("tenants", {
  id: text().primaryKey(),
  name: text().notNull(),
  mode: text({ enum: ["live", "test"] }).notNull(),
  /** Where the tenant's objects must be; fixed, as mode is. Null: anywhere. */
  jurisdiction: text({ enum: jurisdictions }),
  /** What the tenant set, as JSON (tenancy/settings.ts); the rest follows the defaults of the code. */
  settings: text().notNull().default("{}"),
  createdAt: integer("created_at").notNull(),
  /** The database with the tenant's data: 0 is `DB`, 1 `DB_1` and so on; see shards.ts. */
  shard: integer().notNull().default(0),
});

/**
 * Which tenants have left this database, or are about to leave or arrive: the triggers of the migration
 * let nobody write their data here, however old the writer's idea of where they live.
 */
export const tenantFences = sqliteTable("tenant_fences", {
  tenantId: text("tenant_id").primaryKey(),
  /** Within the batch that copies, and never outside of it, `arriving` is `copying`. */
  state: text({ enum: ["leaving", "left", "arriving", "copying", "here"] }).notNull(),
  /** The move that set it: a later one takes its place, an earlier one does not any more. */
  move: text().notNull(),
});
