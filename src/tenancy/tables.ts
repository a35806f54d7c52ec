/** The tables of API tokens and destinations. The table of tenants is in db/tables.ts. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { tenants } from "../db/tables.ts";
import type { Permission } from "./permission.ts";

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
    /** The lifetime that the token was created with. The token that replaces it gets the same. */
    lifetimeMs: integer("lifetime_ms"),
    lastUsedAt: integer("last_used_at"),
    revokedAt: integer("revoked_at"),
    /** A revocation or rotation has set an end that the tenant's token register may not have yet. */
    endUnregistered: integer("end_unregistered", { mode: "boolean" }).notNull().default(false),
  },
  (table) => [
    // Partial: revoked tokens are neither listed nor counted.
    index("api_tokens_by_tenant").on(table.tenantId, table.id).where(sql`revoked_at IS NULL`),
    index("api_tokens_by_expiry")
      .on(table.tenantId, table.expiresAt)
      .where(sql`revoked_at IS NULL`),
    // Partial: few ends are not registered yet.
    index("api_tokens_unregistered").on(table.tenantId).where(sql`end_unregistered`),
  ],
);

/** Where the events of a tenant are sent: its webhooks and streams; see destinations/. */
export const destinations = sqliteTable(
  "destinations",
  {
    tenantId: text("tenant_id").notNull(),
    id: text().notNull(),
    kind: text({ enum: ["webhook", "stream"] }).notNull(),
    /** What the tenant has configured, without credentials, as JSON. */
    configuration: text().notNull(),
    /** The credentials, as JSON in a box. */
    credentials: text().notNull(),
    status: text({ enum: ["enabled", "disabled"] }).notNull(),
    /** Why the service has disabled it; null if it did not. */
    disabledReason: text("disabled_reason", { enum: ["gone", "failing"] }),
    /** The leaf at which the tenant had it begin last: at its creation, or with a replay. */
    startLeaf: integer("start_leaf").notNull(),
    /** When the tenant decided that, real time, Unix ms. It grows. */
    startedAt: integer("started_at").notNull(),
    createdAt: integer("created_at").notNull(),
    /** When the tenant has changed it last, real time, Unix ms. */
    updatedAt: integer("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] })],
);
