/** A table whose rows belong to tenants, for jobs that process a tenant's rows table by table. */
import { type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";

export interface TenantTable {
  readonly table: SQLiteTable & { readonly tenantId: SQLiteColumn };
  /** The primary key without the tenant. */
  readonly key: readonly SQLiteColumn[];
}

/** Joins the names of columns with commas. */
export function joinNames(columns: readonly SQLiteColumn[]): SQL {
  return sql.join(
    columns.map(({ name }) => sql.identifier(name)),
    sql`, `,
  );
}
