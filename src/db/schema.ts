/**
 * The tables of D1, as docs/storage.md describes them. D1 is the directory and the record: it
 * never decides on a lock, a replay or a single use; the identity guard does.
 *
 * Ids sort by time (see crypto/id.ts), so the primary keys serve the keyset pages and no further
 * index is needed for them. The released migration makes the wide tables WITHOUT ROWID, which
 * drizzle cannot say: a row is then written once, not twice.
 */

import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import {
  type AuditDetails,
  actorTypes,
  auditActions,
  auditOutcomes,
  targetTypes,
} from "../audit/event.ts";
import type { FiledEvent } from "../audit/stamp.ts";
import { type RiskPolicy, verdictSources } from "../sentinel/assessment.ts";
import type { DataSource, SessionEvidence } from "../sentinel/evidence.ts";
import { keyringNames } from "../keys/keyring-names.ts";
import { relocationPhases } from "../relocation/phase.ts";
import { verdicts } from "../sentinel/history.ts";
import type { Reason } from "../sentinel/reason.ts";
import type { Permission } from "../tenancy/permission.ts";
import { jurisdictions } from "../location.ts";
import type { SettingsPatch } from "../tenancy/settings.ts";

export const tenants = sqliteTable("tenants", {
  id: text().primaryKey(),
  name: text().notNull(),
  mode: text({ enum: ["live", "test"] }).notNull(),
  /** Where the tenant's objects must be; fixed, as mode is. Null: anywhere. */
  jurisdiction: text({ enum: jurisdictions }),
  /** What the tenant set, as JSON; what it did not set follows the defaults of the code. */
  settings: text({ mode: "json" }).$type<SettingsPatch>().notNull().default({}),
  createdAt: integer("created_at").notNull(),
  /** The database with the tenant's data: 0 is `DB`, 1 `DB_1` and so on; see shards.ts. */
  shard: integer().notNull().default(0),
});

export const apiTokens = sqliteTable(
  "api_tokens",
  {
    id: text().primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => tenants.id),
    name: text().notNull(),
    /** SHA-256 of the token, hex. */
    hash: text().notNull().unique(),
    permissions: text({ mode: "json" }).$type<readonly Permission[]>().notNull(),
    createdAt: integer("created_at").notNull(),
    expiresAt: integer("expires_at"),
    /** How long it was made to live; a rotation, which ends it sooner, passes this on. */
    lifetimeMs: integer("lifetime_ms"),
    lastUsedAt: integer("last_used_at"),
    revokedAt: integer("revoked_at"),
    /** An end was set, by revocation or rotation, that the tenant's token register may not know yet. */
    endUnregistered: integer("end_unregistered", { mode: "boolean" }).notNull().default(false),
  },
  (table) => [
    index("api_tokens_by_tenant").on(table.tenantId, table.id),
    // Partial: finds the few that the register was out of reach for.
    index("api_tokens_unregistered").on(table.tenantId).where(sql`end_unregistered`),
  ],
);

/**
 * Audit events of acts on a tenant that lives in another database than `DB`, until that one has them;
 * see control-outbox/.
 */
export const controlOutbox = sqliteTable(
  "control_outbox",
  {
    tenantId: text("tenant_id").notNull(),
    /** The event's. */
    id: text().notNull(),
    /** The event ready to be filed. */
    event: text({ mode: "json" }).$type<FiledEvent>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] })],
);

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

/** Requests that carried an `Idempotency-Key`; see idempotency/. */
export const requestKeys = sqliteTable(
  "request_keys",
  {
    /** `operator` for what belongs to no tenant. */
    tenantId: text("tenant_id").notNull(),
    /** SHA-256 over operation and key, hex. */
    key: text().notNull(),
    /** The receipt, sealed. */
    box: text().notNull(),
    /** The time the request ran at. */
    at: integer().notNull(),
    /** Real time from which on the row may go. */
    forgetAt: integer("forget_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.key] })],
);

/** Which versions of which keyring stored data may need: none of them may leave the ring. */
export const keyVersions = sqliteTable(
  "key_versions",
  {
    keyring: text({ enum: keyringNames }).notNull(),
    version: integer().notNull(),
    /** First 8 bytes of an HMAC of the key over a label, hex: another key under the same number shows. */
    fingerprint: text().notNull(),
    firstUsedAt: integer("first_used_at").notNull(),
    /** Nothing needs it any more; null as long as something may. */
    retiredAt: integer("retired_at"),
  },
  (table) => [primaryKey({ columns: [table.keyring, table.version] })],
);

/** How far the re-encryption under a version of the sealing keys has come. */
export const reEncryptions = sqliteTable("re_encryptions", {
  /** The version everything is sealed under anew. */
  version: integer().primaryKey(),
  /** The last identity that was dealt with; the next slice begins after it. */
  tenantId: text("tenant_id").notNull().default(""),
  identityId: text("identity_id").notNull().default(""),
  /** Identities there were when it began. Counted once: counting reads them all. */
  total: integer().notNull(),
  /** In the present pass: identities dealt with, and those of them that could not be sealed anew. */
  seen: integer().notNull().default(0),
  failed: integer().notNull().default(0),
  /** Passes that ended with something left over, and how much the last of them left. */
  passes: integer().notNull().default(0),
  leftOver: integer("left_over").notNull().default(0),
  startedAt: integer("started_at").notNull(),
  finishedAt: integer("finished_at"),
});

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
    /** Grows with every change in the guard: a late delivery never overwrites a newer one. */
    version: integer().notNull(),
    /** The guard's state as JSON (secrets sealed, backup codes hashed); null once erased. */
    state: text(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    // Partial: costs the living nothing, and finds the few tombstones at once.
    index("identities_erased").on(table.updatedAt).where(sql`status = 'erased'`),
  ],
);

/** Spelled as the partial index has it, without a parameter, so that the index is used. */
export const isErased = sql`${identities.status} = 'erased'`;

export const auditEvents = sqliteTable(
  "audit_events",
  {
    tenantId: text("tenant_id").notNull(),
    /** The place in the tenant's log: dense from 0, in the order of arrival. */
    leafIndex: integer("leaf_index").notNull(),
    id: text().notNull(),
    at: integer().notNull(),
    actorType: text("actor_type", { enum: actorTypes }).notNull(),
    actorId: text("actor_id"),
    action: text({ enum: auditActions }).notNull(),
    targetType: text("target_type", { enum: targetTypes }).notNull(),
    targetId: text("target_id").notNull(),
    /** Id of the identity's audit key; null where the event has no personal parts. */
    personalKey: text("personal_key"),
    /** The personal parts, sealed under that key. */
    personal: text(),
    /** SHA-256 over the personal parts and a nonce, hex: what the log commits to. */
    personalDigest: text("personal_digest"),
    outcome: text({ enum: auditOutcomes }).notNull(),
    reason: text(),
    requestId: text("request_id"),
    details: text({ mode: "json" }).$type<AuditDetails>().notNull(),
    /** Proves that the service filed the event, until it is sealed; see audit/stamp.ts. */
    stamp: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.leafIndex] }),
    uniqueIndex("audit_events_by_id").on(table.tenantId, table.id),
    index("audit_events_by_target").on(table.tenantId, table.targetId, table.id),
  ],
);

/** The Merkle tree over a tenant's log, in tiles; see audit/tree/tiles.ts. */
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

/** The newest signed tree head of each tenant. */
export const auditTrees = sqliteTable("audit_trees", {
  tenantId: text("tenant_id").primaryKey(),
  size: integer().notNull(),
  /** Size of the head this one extends: two sealers cannot both extend the same. */
  extendsSize: integer("extends_size").notNull(),
  /** The signed note; see audit/tree/note.ts. */
  note: text().notNull(),
  /** Size of the newest head that the witness in KV has, and when it was last told one. */
  witnessedSize: integer("witnessed_size").notNull().default(0),
  witnessedAt: integer("witnessed_at").notNull().default(0),
  /** Size of the newest of those that was forwarded to the further witnesses. */
  forwardedSize: integer("forwarded_size").notNull().default(0),
});

/** When each tenant's confirmed sessions were last counted; the counts are in KV. */
export const populations = sqliteTable("populations", {
  tenantId: text("tenant_id").primaryKey(),
  builtAt: integer("built_at").notNull(),
  logins: integer().notNull(),
});

export const assessments = sqliteTable(
  "assessments",
  {
    tenantId: text("tenant_id").notNull(),
    id: text().notNull(),
    identityId: text("identity_id").notNull(),
    at: integer().notNull(),
    model: text().notNull(),
    riskScore: real("risk_score").notNull(),
    recommendation: text({ enum: ["allow", "challenge", "deny"] }).notNull(),
    reasons: text({ mode: "json" }).$type<readonly Reason[]>().notNull(),
    /** The data sources that gave no evidence. */
    degraded: text({ mode: "json" }).$type<readonly DataSource[]>().notNull(),
    /** The facts the score was computed from: counters and coarse network facts only. */
    evidence: text({ mode: "json" }).$type<SessionEvidence>().notNull(),
    /** SHA-256 over the evidence in canonical JSON, hex; null with models before sentinel-2. */
    evidenceDigest: text("evidence_digest"),
    /** The policy that made the recommendation; null with models before sentinel-2. */
    policy: text({ mode: "json" }).$type<RiskPolicy>(),
    /** HMAC-SHA-256 over address, agent and user id of the session, hex. */
    contextDigest: text("context_digest").notNull(),
    /** What became of the session, who says so and when; null as long as nobody does. */
    verdict: text({ enum: verdicts }),
    verdictSource: text("verdict_source", { enum: verdictSources }),
    verdictAt: integer("verdict_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index("assessments_by_identity").on(table.tenantId, table.identityId),
    // Partial: a row is in it once somebody has confirmed it.
    index("assessments_confirmed").on(table.tenantId, table.id).where(sql`verdict = 'legitimate'`),
  ],
);
