/** The tables of the audit trail. */
import { getTableColumns, sql } from "drizzle-orm";
import {
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import { restoreDigest } from "../crypto/short-hex.ts";
import {
  type AuditDetails,
  actorTypes,
  auditActions,
  auditOutcomes,
  type StampedEvent,
  targetTypes,
} from "./event.ts";
import { restoreStamp } from "./stamp.ts";

/** Rows of older builds have hex. `insertEvents` writes the short form. */
const digestColumn = customType<{ data: string; driverData: string }>({
  dataType: () => "text",
  fromDriver: restoreDigest,
});
const stampColumn = customType<{ data: string; driverData: string }>({
  dataType: () => "text",
  fromDriver: restoreStamp,
});

/**
 * Events about tenants whose data is in another database than `DB`, until they are delivered there; see
 * control-outbox/.
 */
export const controlOutbox = sqliteTable(
  "control_outbox",
  {
    tenantId: text("tenant_id").notNull(),
    /** The event's id. */
    id: text().notNull(),
    event: text({ mode: "json" }).$type<StampedEvent>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] })],
);

export const auditEvents = sqliteTable(
  "audit_events",
  {
    tenantId: text("tenant_id").notNull(),
    /** The position in the tenant's log: from 0 without gaps, in the order of arrival. */
    leafIndex: integer("leaf_index").notNull(),
    id: text().notNull(),
    at: integer().notNull(),
    actorType: text("actor_type", { enum: actorTypes }).notNull(),
    actorId: text("actor_id"),
    action: text({ enum: auditActions }).notNull(),
    targetType: text("target_type", { enum: targetTypes }).notNull(),
    targetId: text("target_id").notNull(),
    /**
     * The name of the key that sealed the personal parts (derived-key.ts); null if the event has had none. It stays when
     * the parts have expired.
     */
    personalKey: text("personal_key"),
    /** The personal parts, sealed under that key; null if they have expired, or the event has had none. */
    personal: text(),
    /** SHA-256 over the personal parts and a nonce. The leaf contains it, in hex. */
    personalDigest: digestColumn("personal_digest"),
    outcome: text({ enum: auditOutcomes }).notNull(),
    reason: text(),
    requestId: text("request_id"),
    details: text({ mode: "json" }).$type<AuditDetails>().notNull(),
    /** Proves that the service filed the event, until it is integrated; see audit/stamp.ts. */
    stamp: stampColumn().notNull(),
    /**
     * Real time at which the event was filed, Unix ms, by which it ages: `at` may be of a test clock. Null for
     * events of older builds. It is neither in the leaf nor in the archive.
     */
    arrivedAt: integer("arrived_at"),
    /**
     * The secret and the time step of an accepted code, until the identity's record has them (see saveRecord). They
     * are neither in the leaf nor in the archive. Null for other events, and for those of older builds.
     */
    secretId: text("secret_id"),
    timeStep: integer("time_step"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.leafIndex] }),
    uniqueIndex("audit_events_by_id").on(table.tenantId, table.id),
    index("audit_events_by_target").on(table.tenantId, table.targetId, table.id),
  ],
);

/** The columns of a stored event. When it arrived and what it accepted is not a part of it. */
const {
  arrivedAt: _arrivedAt,
  secretId: _secretId,
  timeStep: _timeStep,
  ...storedEventColumns
} = getTableColumns(auditEvents);
export const eventColumns = storedEventColumns;

/**
 * The full tiles of the Merkle tree over a tenant's log; see audit/tree/tiles.ts. Older builds stored the unfinished
 * ones here too, and these rows stay until the tile is full.
 */
export const auditTiles = sqliteTable(
  "audit_tiles",
  {
    tenantId: text("tenant_id").notNull(),
    level: integer().notNull(),
    index: integer().notNull(),
    /** Hashes of 32 bytes, concatenated, base64. */
    hashes: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.level, table.index] })],
);

/** The newest tree head of each tenant. */
export const auditTrees = sqliteTable(
  "audit_trees",
  {
    tenantId: text("tenant_id").primaryKey(),
    size: integer().notNull(),
    /** The size of the head that this one extends: two runs cannot both extend the same head. */
    extendsSize: integer("extends_size").notNull(),
    /** The signed note; see audit/tree/note.ts. */
    note: text().notNull(),
    /** The size of the newest head that the witness in KV has, and when one was last sent to it. */
    witnessedSize: integer("witnessed_size").notNull().default(0),
    witnessedAt: integer("witnessed_at").notNull().default(0),
    /** The size of the newest head that the bucket has, and that the witness at the configured address has. */
    bucketSize: integer("bucket_size").notNull().default(0),
    forwardedSize: integer("forwarded_size").notNull().default(0),
    /** How often each of them did not accept the head, in a row, and when it is sent again (Unix ms). */
    bucketFailures: integer("bucket_failures").notNull().default(0),
    bucketRetryAt: integer("bucket_retry_at").notNull().default(0),
    forwardFailures: integer("forward_failures").notNull().default(0),
    forwardRetryAt: integer("forward_retry_at").notNull().default(0),
    /** Leaves that the statistics cover, from the first on; see tree/count-backlog.ts. */
    countedSize: integer("counted_size").notNull().default(0),
    /** Counts of the newest hour, which `tenant_statistics` does not have yet; see statistics/recent-counts.ts. */
    recentCounts: text("recent_counts"),
    /** The unfinished tiles of the tree; see tree/unfinished-tiles.ts. Null for heads of older builds. */
    unfinishedTiles: text("unfinished_tiles"),
  },
  (table) => [index("audit_trees_uncounted").on(table.tenantId).where(sql`counted_size < size`)],
);
