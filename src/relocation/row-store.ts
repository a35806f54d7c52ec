/**
 * A tenant's rows in one database, table by table in the order of keys: read, written, compared, removed.
 * They are carried as they lie, whatever the columns mean.
 */
import { and, eq, getTableColumns, type SQL, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { z } from "zod";
import { auditEvents, auditTiles, auditTrees } from "../audit/tables.ts";
import { type Database, runBatch, type Statement, withinStoreTimeout } from "../db/client.ts";
import { tenantFences } from "../db/tables.ts";
import { identities } from "../identity/tables.ts";
import { type KeyVersion, markKeysInUse } from "../keys/version-store.ts";
import { assessments, populations } from "../sentinel/tables.ts";
import type { Move } from "./store.ts";

interface TenantTable {
  readonly table: SQLiteTable & { readonly tenantId: SQLiteColumn };
  /** The primary key without the tenant. */
  readonly key: readonly SQLiteColumn[];
}

/** All that is a tenant's, and is where the tenant lives. */
const tenantTables: readonly TenantTable[] = [
  { table: identities, key: [identities.id] },
  { table: auditEvents, key: [auditEvents.leafIndex] },
  { table: auditTiles, key: [auditTiles.level, auditTiles.index] },
  { table: auditTrees, key: [] },
  { table: assessments, key: [assessments.id] },
  { table: populations, key: [] },
];

/** Names of the tables, by index. */
export const tableNames: readonly string[] = [
  ...["identities", "audit_events", "audit_tiles", "audit_trees", "assessments", "populations"],
];

/** A key without the tenant, as the place up to which a table is dealt with. */
export type Cursor = readonly (string | number)[] | null;

/** One row as D1 gives it, by the names of columns. */
const row = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
export type Row = Readonly<z.infer<typeof row>>;

/** D1 takes 2 MB in one parameter. */
const maxCharactersPerStatement = 400_000;

function tableAt(index: number): TenantTable {
  const found = tenantTables[index];
  if (found === undefined) throw new Error(`There is no table ${index}`);
  return found;
}

function joinNames(columns: readonly SQLiteColumn[]): SQL {
  return sql.join(
    columns.map(({ name }) => sql.identifier(name)),
    sql`, `,
  );
}

async function readPage(
  db: Database,
  { table, key }: TenantTable,
  columns: SQL,
  tenantId: string,
  after: Cursor,
  limit: number,
): Promise<Row[]> {
  const values = sql.join(
    (after ?? []).map((value) => sql`${value}`),
    sql`, `,
  );
  const isAfter = after === null ? sql`` : sql`AND (${joinNames(key)}) > (${values})`;
  const inOrder = key.length === 0 ? sql`` : sql`ORDER BY ${joinNames(key)}`;
  const rows = await withinStoreTimeout(
    db.all(sql`SELECT ${columns} FROM ${table}
      WHERE ${sql.identifier(table.tenantId.name)} = ${tenantId} ${isAfter} ${inOrder} LIMIT ${limit}`),
  );
  return rows.map((found) => row.parse(found));
}

/** @throws StoreError, as all of these */
export async function readRows(
  db: Database,
  index: number,
  tenantId: string,
  after: Cursor,
  limit: number,
): Promise<Row[]> {
  return await readPage(db, tableAt(index), sql`*`, tenantId, after, limit);
}

/** Keys, and the length of all fields of a row together: enough to see that two rows are not alike. */
export async function readOutlines(
  db: Database,
  index: number,
  tenantId: string,
  after: Cursor,
  limit: number,
): Promise<Row[]> {
  const found = tableAt(index);
  const lengths = Object.values(getTableColumns(found.table)).map(
    ({ name }) => sql`coalesce(length(${sql.identifier(name)}), 0)`,
  );
  const size = sql`${sql.join(lengths, sql` + `)} AS row_size`;
  const columns = found.key.length === 0 ? size : sql`${joinNames(found.key)}, ${size}`;
  return await readPage(db, found, columns, tenantId, after, limit);
}

/** The place after a row. */
export function cursorAfter(index: number, last: Row): Cursor {
  return tableAt(index).key.map(({ name }) => {
    const value = last[name];
    if (value === undefined || value === null) throw new Error(`A row has no ${name}`);
    return value;
  });
}

/** The rows as JSON texts, each short enough for a statement. */
function formatJsonArrays(rows: readonly Row[]): string[] {
  const found: string[] = [];
  let open: string[] = [];
  let length = 0;
  for (const text of rows.map((one) => JSON.stringify(one))) {
    if (length + text.length > maxCharactersPerStatement && open.length > 0) {
      found.push(`[${open.join(",")}]`);
      open = [];
      length = 0;
    }
    open.push(text);
    length += text.length;
  }
  return [...found, `[${open.join(",")}]`];
}

function hasFence({ tenantId, id }: Move, state: (typeof tenantFences.$inferSelect)["state"]) {
  return and(
    eq(tenantFences.tenantId, tenantId),
    eq(tenantFences.move, id),
    eq(tenantFences.state, state),
  );
}

/**
 * Writes rows where a tenant arrives, past the fence that keeps all others out. A row that is there stays:
 * it is the same. Nothing is written once the move has gone on, or another has begun.
 * @param keys versions that what is written may be sealed, hashed or signed under
 */
export async function writeRows(
  db: Database,
  index: number,
  move: Move,
  rows: readonly Row[],
  keys: readonly KeyVersion[],
): Promise<void> {
  const { table } = tableAt(index);
  const fields = Object.values(getTableColumns(table)).map(({ name }) =>
    sql.raw(`item.value ->> '${name}'`),
  );
  const isCopying = sql`EXISTS (SELECT 1 FROM ${tenantFences} WHERE ${hasFence(move, "copying")})`;
  const inserts = formatJsonArrays(rows).map(
    (text): Statement =>
      db
        .insert(table)
        .select(
          sql`SELECT ${sql.join(fields, sql`, `)} FROM json_each(${text}) AS item WHERE ${isCopying}`,
        )
        .onConflictDoNothing(),
  );
  await runBatch(db, [
    db.update(tenantFences).set({ state: "copying" }).where(hasFence(move, "arriving")),
    ...markKeysInUse(db, keys),
    ...inserts,
    db.update(tenantFences).set({ state: "arriving" }).where(hasFence(move, "copying")),
  ]);
}

/**
 * Removes some rows of each table of a tenant that is not at home in the database, as this move left it.
 * @param limit rows of each table. @returns whether there may be more
 */
export async function deleteRows(
  db: Database,
  move: Move,
  state: "left" | "arriving",
  limit: number,
): Promise<boolean> {
  const isMeant = sql`EXISTS (SELECT 1 FROM ${tenantFences} WHERE ${hasFence(move, state)})`;
  const [first, ...rest] = tenantTables.map(({ table, key }) => {
    const some = sql`(${joinNames(key)}) IN (SELECT ${joinNames(key)} FROM ${table}
      WHERE ${sql.identifier(table.tenantId.name)} = ${move.tenantId} LIMIT ${limit})`;
    return db
      .delete(table)
      .where(and(eq(table.tenantId, move.tenantId), key.length === 0 ? undefined : some, isMeant))
      .returning({ one: sql<number>`1` });
  });
  if (first === undefined) return false;
  const removed = await withinStoreTimeout(db.batch([first, ...rest]));
  return removed.some((rows) => rows.length === limit);
}
