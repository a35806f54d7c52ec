/** The tables of key versions and re-encryptions. */
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { keyringNames } from "./keyring-names.ts";

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
  },
  (table) => [primaryKey({ columns: [table.keyring, table.version] })],
);

/** The progress of the re-encryption under each version of the sealing keys. */
export const reEncryptions = sqliteTable("re_encryptions", {
  version: integer().primaryKey(),
  /** The last identity that was processed; the next slice begins after it. */
  tenantId: text("tenant_id").notNull().default(""),
  identityId: text("identity_id").notNull().default(""),
  /** Identities when the re-encryption began. Counted once, because counting reads them all. */
  total: integer().notNull(),
  /** In the current pass: identities processed, and those of them that could not be sealed anew. */
  seen: integer().notNull().default(0),
  failed: integer().notNull().default(0),
  /** Passes that left something under an older key, and how much the last of them left. */
  passes: integer().notNull().default(0),
  leftOver: integer("left_over").notNull().default(0),
  startedAt: integer("started_at").notNull(),
  finishedAt: integer("finished_at"),
});
