/** The tables of identities and of the claims of their passkeys. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** Each identity's entry in the directory, and the record from which an empty guard rehydrates. */
export const identities = sqliteTable(
  "identities",
  {
    tenantId: text("tenant_id").notNull(),
    /** Derived from tenant and external_id, so the primary key also makes external_id unique. */
    id: text().notNull(),
    /** Null once erased. */
    externalId: text("external_id"),
    status: text({ enum: ["active", "suspended", "erased"] }).notNull(),
    lockedUntil: integer("locked_until"),
    /** Fixed for one life of the identity. When it changes, a trigger (migration 0005) deletes the assessments. */
    createdAt: integer("created_at").notNull(),
    updatedAt: integer("updated_at").notNull(),
    /** Grows with every change in the guard, so that a late delivery never overwrites a newer record. */
    version: integer().notNull(),
    /** The guard's state as JSON (secrets sealed, backup codes hashed); null once erased. */
    state: text(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    // Partial: contains only tombstones, which are few.
    index("identities_erased").on(table.updatedAt).where(sql`status = 'erased'`),
  ],
);

/** Spelled as in the partial index, without a parameter, so that SQLite uses it. */
export const isErased = sql`${identities.status} = 'erased'`;

/**
 * Which identity of a tenant a passkey belongs to, so that no two register one credential id. It is never read at a
 * login.
 */
export const passkeyClaims = sqliteTable(
  "passkey_claims",
  {
    tenantId: text("tenant_id").notNull(),
    passkeyId: text("passkey_id").notNull(),
    identityId: text("identity_id").notNull(),
    /** New with each claim, so that a release and a takeover change nothing about a later claim. */
    claimId: text("claim_id").notNull(),
  },
  // Without a further index: each would be one more row written.
  (table) => [primaryKey({ columns: [table.tenantId, table.passkeyId] })],
);
