/** The tables of key versions and re-encryptions. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { keyringNames } from "./keyring-names.ts";
import type { RecordCounts } from "./record-counts.ts";

/** The key versions that stored data may need. Those not retired must stay in their keyrings. */
export const keyVersions = sqliteTable(
  "key_versions",
  {
    keyring: text({ enum: keyringNames }).notNull(),
    version: integer().notNull(),
    /** The first 8 bytes of an HMAC under the key, hex. Reveals another key with the same version. */
    fingerprint: text().notNull(),
    firstUsedAt: integer("first_used_at").notNull(),
    /** From then on no data needs the key; null as long as some data may need it. */
    retiredAt: integer("retired_at"),
    /**
     * The check that may retire the version. Data under the version that arrives meanwhile removes this mark, and
     * then the check does not retire it.
     */
    checkId: text("check_id"),
  },
  (table) => [primaryKey({ columns: [table.keyring, table.version] })],
);

/**
 * What a re-encryption does: `counting` counts the identities, `walking` lets each guard seal its data anew, and
 * `checking` looks for data under older keys in D1.
 */
export const reEncryptionPhases = ["counting", "walking", "checking"] as const;

/** The progress of the re-encryption under each version of the sealing keys. */
export const reEncryptions = sqliteTable("re_encryptions", {
  version: integer().primaryKey(),
  phase: text({ enum: reEncryptionPhases }).notNull().default("walking"),
  /** The last identity of the phase that was processed; the next slice begins after it. */
  tenantId: text("tenant_id").notNull().default(""),
  identityId: text("identity_id").notNull().default(""),
  /** Identities when they were last counted. */
  total: integer().notNull(),
  /** In the current pass: identities processed, and those of them that could not be sealed anew. */
  seen: integer().notNull().default(0),
  failed: integer().notNull().default(0),
  /** Passes that left something under an older key, and how much the last of them left. */
  passes: integer().notNull().default(0),
  leftOver: integer("left_over").notNull().default(0),
  startedAt: integer("started_at").notNull(),
  finishedAt: integer("finished_at"),
  /** The check that is running, and what it or the counting has found up to the last identity. */
  checkId: text("check_id"),
  found: text({ mode: "json" }).$type<RecordCounts>(),
  /** What the last complete check found, and when that check ended. */
  counts: text({ mode: "json" }).$type<RecordCounts>(),
  countedAt: integer("counted_at"),
});
