/** The table of the expiry of personal parts. */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** In this order. `done`: everything that arrived before the cutoff has expired. */
export const expiryPhases = ["events", "archive", "assessments", "done"] as const;

/** How far the newest expiry of each tenant is; see advance.ts. The row stays, so that the next one goes on from it. */
export const personalExpiries = sqliteTable("personal_expiries", {
  tenantId: text("tenant_id").primaryKey(),
  /** What arrived before this UTC day expires: days since 1970. */
  cutoffDay: integer("cutoff_day").notNull(),
  phase: text({ enum: expiryPhases }).notNull(),
  /** Grows with each change: of two runs at the same time one changes nothing. */
  step: integer().notNull(),
  /** When this expiry began: its day keys were deleted just before. Real time, Unix ms. */
  startedAt: integer("started_at").notNull(),
  /** No event below this leaf index has its personal parts in D1. */
  nextLeaf: integer("next_leaf").notNull(),
  /** The first leaf index that D1 had at the end of the phase `events`: the events below it were archived. */
  archivedBelow: integer("archived_below").notNull(),
  /** No object of the archive that begins below this leaf index has personal parts. */
  nextObject: integer("next_object").notNull(),
  /** The first leaf index of the object that is rewritten now, whose events are counted already. */
  openObject: integer("open_object"),
  /** How many events and assessments have expired so far in this expiry. */
  events: integer().notNull(),
  assessments: integer().notNull(),
});
