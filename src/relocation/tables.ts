/** The table of moves from one database to another. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { relocationPhases } from "./phase.ts";

/** The newest move of each tenant from one database to another; see relocation/. */
export const relocations = sqliteTable("relocations", {
  tenantId: text("tenant_id").primaryKey(),
  /** Of the move; later ones of a tenant are greater. */
  id: text().notNull(),
  from: integer("from_shard").notNull(),
  to: integer("to_shard").notNull(),
  phase: text({ enum: relocationPhases }).notNull(),
  /** In the present phase: the table that is dealt with, and the key of the last row dealt with. */
  tableIndex: integer("table_index").notNull(),
  cursor: text({ mode: "json" }).$type<readonly (string | number)[]>(),
  /** Rows copied. */
  copied: integer().notNull(),
  startedAt: integer("started_at").notNull(),
  switchedAt: integer("switched_at"),
  finishedAt: integer("finished_at"),
});
