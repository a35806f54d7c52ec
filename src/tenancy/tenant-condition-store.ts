/** Conditions on a tenant in the batch that the operator's request writes; see token-condition-store.ts. */
import { sql } from "drizzle-orm";
import { type Database, requireConditions, type Statement } from "../db/client.ts";
import { tenants } from "../db/tables.ts";

/** Fails the batch with `not_found` for an unknown tenant, and with `tenant_deleting` once its deletion has begun. */
export function requireLastingTenant(db: Database, tenantId: string): Statement {
  const tenant = sql`SELECT 1 FROM ${tenants} WHERE ${tenants.id} = ${tenantId}`;
  return requireConditions(
    db,
    [sql`EXISTS (${tenant})`, "not_found"],
    [sql`EXISTS (${tenant} AND ${tenants.status} <> 'deleting')`, "tenant_deleting"],
  );
}
