/** The table of relocations. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { relocationPhases } from "./phase.ts";

/** The newest relocation of each tenant. */
export const relocations = sqliteTable("relocations", {
  tenantId: text("tenant_id").primaryKey(),
  /** A later relocation of the tenant has a greater id. */
  id: text().notNull(),
  from: integer("from_shard").notNull(),
  to: integer("to_shard").notNull(),
  phase: text({ enum: relocationPhases }).notNull(),
  /** In the current phase: the table that is processed, and the key of the last row processed there. */
  tableIndex: integer("table_index").notNull(),
  cursor: text({ mode: "json" }).$type<readonly (string | number)[]>(),
  /** Rows copied so far. */
  copied: integer().notNull(),
  startedAt: integer("started_at").notNull(),
  switchedAt: integer("switched_at"),
  finishedAt: integer("finished_at"),
});
