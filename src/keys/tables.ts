/** The tables of key versions and re-encryptions. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { keyringNames } from "./keyring-names.ts";

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
