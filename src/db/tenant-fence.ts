/**
 * The tenants of one database, for what runs over all of them: those with rows in a table, without those
 * that have left or are moving. The table of tenants says nothing of that, since it is in `DB` alone.
 */
import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { FencedTenantError } from "./client.ts";
import { tenantFences } from "./tables.ts";

const fencedTenants = sql`(SELECT ${tenantFences.tenantId} FROM ${tenantFences} WHERE ${tenantFences.state} <> 'here')`;

/** Whether the tenant lives here and stays. */
export function isResident(tenantId: SQLiteColumn | SQL): SQL {
  return sql`${tenantId} NOT IN ${fencedTenants}`;
}

/** Whether this is the tenant's data, or will be, and no remainder of a tenant that has left. */
export function isNotLeftover(tenantId: SQLiteColumn): SQL {
  return sql`${tenantId} NOT IN
    (SELECT ${tenantFences.tenantId} FROM ${tenantFences} WHERE ${tenantFences.state} = 'left')`;
}

/**
 * A column of what a guard reads to decide by: 1 where this is not the database to ask, because the tenant
 * has left it or is not here yet. Select from `oneRow`, so that there is a row to say so.
 */
export function isNotServedHere(tenantId: string): SQL<number> {
  return sql<number>`EXISTS (SELECT 1 FROM ${tenantFences} WHERE ${tenantFences.tenantId} = ${tenantId}
    AND ${tenantFences.state} IN ('left', 'arriving', 'copying'))`;
}

/** One row, to which what is looked for is joined. */
export const oneRow = sql`(SELECT 1)`;

/** @throws FencedTenantError */
export function requireServedHere(rows: readonly { readonly isElsewhere: number }[]): void {
  if (rows.some((row) => row.isElsewhere === 1)) {
    throw new FencedTenantError(new Error("The tenant is in another database"));
  }
}

/**
 * A subquery of one column, `id`: looks into the table once for each tenant, not for each row.
 * @param after only tenants after this one
 */
export function selectResidentTenants(
  table: SQLiteTable & { readonly tenantId: SQLiteColumn },
  after = "",
): SQL {
  const id = sql.identifier(table.tenantId.name);
  return sql`(
    WITH RECURSIVE found(id) AS (
      SELECT min(${id}) FROM ${table} WHERE ${id} > ${after}
      UNION ALL SELECT (SELECT min(${id}) FROM ${table} WHERE ${id} > found.id) FROM found
        WHERE found.id IS NOT NULL)
    SELECT id FROM found WHERE id IS NOT NULL AND ${isResident(sql`id`)})`;
}
