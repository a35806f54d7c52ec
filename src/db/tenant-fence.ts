/**
 * SQL conditions on the fences of a database: which tenants have their data in it, and which have left or
 * are moving. Each database has its own fences, while the table of tenants is only in `DB`.
 */
import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { FencedTenantError } from "./client.ts";
import { tenantFences } from "./tables.ts";

const fencedTenants = sql`(SELECT ${tenantFences.tenantId} FROM ${tenantFences}
  WHERE ${tenantFences.state} NOT IN ('here', 'erasing', 'deleted'))`;

/** Whether the tenant's data, or the trail of a deleted tenant, is in this database and is not moving. */
export function isResident(tenantId: SQLiteColumn | SQL): SQL {
  return sql`${tenantId} NOT IN ${fencedTenants}`;
}

/** Whether the tenant's rows in this database are not leftovers of a relocation away from it. */
export function isNotLeftover(tenantId: SQLiteColumn): SQL {
  return sql`${tenantId} NOT IN (SELECT ${tenantFences.tenantId} FROM ${tenantFences}
    WHERE ${tenantFences.state} IN ('left', 'clearing'))`;
}

/**
 * A column for reads on which a guard decides: 1 if the tenant has left this database, has not arrived yet, or is
 * deleted. Select it from `oneRow`, so that the result has a row even if nothing else is found.
 */
export function isNotServedHere(tenantId: string): SQL<number> {
  return sql<number>`EXISTS (SELECT 1 FROM ${tenantFences} WHERE ${tenantFences.tenantId} = ${tenantId}
    AND ${tenantFences.state} IN ('left', 'clearing', 'arriving', 'copying', 'erasing', 'deleted'))`;
}

/** Whether the tenant has left this database, so that its rows here are leftovers. */
export function hasLeft(tenantId: string): SQL {
  return sql`EXISTS (SELECT 1 FROM ${tenantFences}
    WHERE ${tenantFences.tenantId} = ${tenantId} AND ${tenantFences.state} = 'left')`;
}

/** Whether the tenant is deleted, or its deletion has reached a point from which on no identity can exist. */
export function isDeletedHere(tenantId: string | SQL): SQL<number> {
  return sql<number>`EXISTS (SELECT 1 FROM ${tenantFences}
    WHERE ${tenantFences.tenantId} = ${tenantId} AND ${tenantFences.state} IN ('erasing', 'deleted'))`;
}

/** A table of one row, to left join others to. */
export const oneRow = sql`(SELECT 1)`;

/** @throws FencedTenantError */
export function requireServedHere(rows: readonly { readonly isElsewhere: number }[]): void {
  if (rows.some((row) => row.isElsewhere === 1)) {
    throw new FencedTenantError(new Error("The tenant is in another database"));
  }
}

/**
 * A subquery with one column, `id`: the resident tenants that have rows in a table. Reads one row per tenant.
 * @param after only tenants with a greater id
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
