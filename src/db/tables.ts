/** The tables that record which database has which tenant's data, and the space reserve of a database. */
import { sql } from "drizzle-orm";
import { blob, index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { jurisdictions } from "../location.ts";
import { deletionPhases } from "./deletion-phase.ts";
import { relocationPhases } from "./relocation-phase.ts";
import { tenantStatuses } from "./tenant-status.ts";

export const tenants = sqliteTable(
  "tenants",
  {
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
    status: text({ enum: tenantStatuses }).notNull().default("active"),
    /** When the operator suspended the tenant, Unix ms of real time; null while it is active. */
    suspendedAt: integer("suspended_at"),
    /**
     * The key of the personal parts of events about the tenant itself, as an identity has one; see
     * tenancy/tenant-audit-key.ts. Null until an event needs it.
     */
    auditKey: text("audit_key", { mode: "json" }).$type<{
      readonly id: string;
      /** The key in a box, sealed under the service's keys. */
      readonly sealed: string;
    }>(),
    /** The ids of the tenant's enabled destinations, which are woken when its events were filed. */
    destinations: text({ mode: "json" }).$type<readonly string[]>().notNull().default([]),
  },
  // Finds a shard that no database is bound as, without reading every tenant.
  (table) => [
    index("tenants_by_shard").on(table.shard),
    index("tenants_by_status").on(table.status, table.id),
  ],
);

/**
 * The tenants that have left this database, or are about to leave it or arrive, or are deleted. Triggers
 * (migrations 0005 and 0006) refuse every write of their data here, also from an isolate with a stale cache, and
 * every deletion while the data is being copied.
 */
export const tenantFences = sqliteTable("tenant_fences", {
  tenantId: text("tenant_id").primaryKey(),
  /**
   * In the old database `leaving`, then `left`. In the new one `clearing`, `arriving`, then `here`; `copying`
   * exists only within the batch that copies rows, and replaces `arriving`. Of a tenant that is deleted
   * `erasing`, which still admits events of the trail, then `deleted`, which admits only its tree.
   */
  state: text({
    enum: ["leaving", "left", "clearing", "arriving", "copying", "here", "erasing", "deleted"],
  }).notNull(),
  /** The id of the attempt, or of the deletion, that set the fence. Only the same or a later one may change it. */
  relocationId: text("move").notNull(),
});

/** The newest relocation of each tenant. */
export const relocations = sqliteTable(
  "relocations",
  {
    tenantId: text("tenant_id").primaryKey(),
    /** Names the attempt. A later relocation of the tenant, and a later attempt, has a greater id. */
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
    /** The summary of the old database's rows, which the new one must have to open; null: none is needed. */
    summary: text(),
  },
  // Partial: it contains only the relocations in progress.
  (table) => [index("relocations_unfinished").on(table.phase).where(sql`finished_at IS NULL`)],
);

/**
 * Filler that is deleted to make room for essential writes when the database is full; see space-reserve.ts.
 * Ids are 1, 2, 3 and so on, and the greatest is deleted first, so the greatest is also the count.
 */
export const spaceReserve = sqliteTable("space_reserve", {
  id: integer().primaryKey(),
  filler: blob().notNull(),
});

/** Where the next run of a scheduled job begins in this database; see turns.ts. */
export const jobCursors = sqliteTable("job_cursors", {
  job: text().primaryKey(),
  /** The tenant id with which the last run ended. */
  cursor: text().notNull(),
});

/** The deletion of each tenant. The row stays until the tenant's trail is removed. */
export const tenantDeletions = sqliteTable("tenant_deletions", {
  tenantId: text("tenant_id").primaryKey(),
  /** Names the deletion in fences, and as the request of its events. */
  id: text().notNull(),
  /** The database with the trail, and how many days it stays there; the tenant's record is deleted. */
  shard: integer().notNull(),
  retentionDays: integer("retention_days").notNull(),
  phase: text({ enum: deletionPhases }).notNull(),
  /** In the phase `erasing`: the id of the last identity that was erased. */
  cursor: text().notNull(),
  /** Identities when the deletion began, and those that the cursor has passed. */
  total: integer().notNull(),
  done: integer().notNull(),
  /** No step runs before this time. Times are real, Unix ms. */
  dueAt: integer("due_at").notNull(),
  startedAt: integer("started_at").notNull(),
  finishedAt: integer("finished_at"),
});
