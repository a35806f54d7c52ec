/**
 * Reads, outlines, writes and deletes a tenant's rows in one database, table by table in the order of keys.
 * Rows are copied as they are, whatever the columns mean.
 */
import { and, eq, getTableColumns, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import { archivedSuccesses, tenantStatistics } from "../audit/statistics/tables.ts";
import { auditEvents, auditTiles, auditTrees } from "../audit/tables.ts";
import { awaitStore, type Database, runBatch, type Statement } from "../db/client.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import { tenantFences } from "../db/tables.ts";
import { joinNames, type TenantTable } from "../db/tenant-table.ts";
import { personalExpiries } from "../expiry/tables.ts";
import { identities, passkeyClaims } from "../identity/tables.ts";
import { type KeyVersion, markKeysInUse } from "../keys/version-store.ts";
import { assessments, populations } from "../sentinel/tables.ts";
import { hasFence, openFence, type RelocationKey } from "./store.ts";

/** The tables with tenants' data that a relocation moves. */
const tenantTables: readonly TenantTable[] = [
  { table: identities, key: [identities.id] },
  { table: auditEvents, key: [auditEvents.leafIndex] },
  { table: auditTiles, key: [auditTiles.level, auditTiles.index] },
  { table: auditTrees, key: [] },
  { table: assessments, key: [assessments.id] },
  { table: populations, key: [] },
  { table: tenantStatistics, key: [tenantStatistics.hour] },
  { table: archivedSuccesses, key: [archivedSuccesses.identityId, archivedSuccesses.hour] },
  { table: passkeyClaims, key: [passkeyClaims.passkeyId] },
  { table: personalExpiries, key: [] },
];

/** The names of the tables, by index. */
export const tableNames: readonly string[] = [
  ...["identities", "audit_events", "audit_tiles", "audit_trees", "assessments", "populations"],
  ...["tenant_statistics", "archived_successes", "passkey_claims", "personal_expiries"],
];

/** The key, without the tenant, of the last row that was processed; null at the start of a table. */
export type Cursor = readonly (string | number)[] | null;

/** A row as D1 returns it, by column name. */
const row = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
export type Row = Readonly<z.infer<typeof row>>;

const summaryRow = z.object({ summary: z.string() });

/** D1 accepts up to 2 MB in one parameter. */
const maxCharactersPerStatement = 400_000;

function tableOf(index: number): TenantTable {
  const found = tenantTables[index];
  if (found === undefined) throw new Error(`No table has index ${index}`);
  return found;
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
  const rows = await awaitStore(
    db.all(sql`SELECT ${columns} FROM ${table}
      WHERE ${sql.identifier(table.tenantId.name)} = ${tenantId} ${isAfter} ${inOrder} LIMIT ${limit}`),
  );
  return rows.map((found) => row.parse(found));
}

/** @throws StoreError, as do all of these */
export async function readRows(
  db: Database,
  index: number,
  tenantId: string,
  after: Cursor,
  limit: number,
): Promise<Row[]> {
  return await readPage(db, tableOf(index), sql`*`, tenantId, after, limit);
}

/** Reads each row's key and the total length of its fields, by which copies are compared. */
export async function readOutlines(
  db: Database,
  index: number,
  tenantId: string,
  after: Cursor,
  limit: number,
): Promise<Row[]> {
  const found = tableOf(index);
  const lengths = Object.values(getTableColumns(found.table)).map(
    ({ name }) => sql`coalesce(length(${sql.identifier(name)}), 0)`,
  );
  const size = sql`${sql.join(lengths, sql` + `)} AS row_size`;
  const columns = found.key.length === 0 ? size : sql`${joinNames(found.key)}, ${size}`;
  return await readPage(db, found, columns, tenantId, after, limit);
}

/** The cursor after a row. */
export function cursorOf(index: number, last: Row): Cursor {
  return tableOf(index).key.map(({ name }) => {
    const value = last[name];
    if (value === undefined || value === null) throw new Error(`A row has no ${name}`);
    return value;
  });
}

/** Formats rows as JSON arrays, each short enough for one parameter. */
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

/**
 * Writes rows into the new database. The batch opens the tenant's fence for itself alone. A row that exists
 * stays, because an earlier request has written the same. Nothing is written once the relocation is in a later
 * phase, or a later attempt has begun.
 * @param keys the key versions that the rows may need
 */
export async function writeRows(
  db: Database,
  index: number,
  relocation: RelocationKey,
  rows: readonly Row[],
  keys: readonly KeyVersion[],
): Promise<void> {
  const { table } = tableOf(index);
  const fields = Object.values(getTableColumns(table)).map(({ name }) =>
    sql.raw(`item.value ->> '${name}'`),
  );
  const isCopying = sql`EXISTS (SELECT 1 FROM ${tenantFences} WHERE ${hasFence(relocation, "copying")})`;
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
    db.update(tenantFences).set({ state: "copying" }).where(hasFence(relocation, "arriving")),
    ...markKeysInUse(db, keys),
    ...inserts,
    db.update(tenantFences).set({ state: "arriving" }).where(hasFence(relocation, "copying")),
  ]);
}

/**
 * Deletes some of the tenant's rows in each table, if this attempt has the fence in the given state: `clearing`
 * in the new database, `left` in the old one.
 * @param limit rows per table
 * @returns whether there may be more
 */
export async function deleteRows(
  db: Database,
  relocation: RelocationKey,
  state: "left" | "clearing",
  limit: number,
): Promise<boolean> {
  const isFenced = sql`EXISTS (SELECT 1 FROM ${tenantFences} WHERE ${hasFence(relocation, state)})`;
  const deletions = tenantTables.map(({ table, key }) => {
    const some = sql`(${joinNames(key)}) IN (SELECT ${joinNames(key)} FROM ${table}
      WHERE ${sql.identifier(table.tenantId.name)} = ${relocation.tenantId} LIMIT ${limit})`;
    return db
      .delete(table)
      .where(
        and(eq(table.tenantId, relocation.tenantId), key.length === 0 ? undefined : some, isFenced),
      )
      .returning({ one: sql<number>`1` });
  });
  const deleted = await runEssentialBatch(db, deletions);
  return deleted.some((rows) => Array.isArray(rows) && rows.length === limit);
}

/** In each table, so that a summary reads a bounded number of rows. */
const maxCountedRows = 20_000;

/**
 * An expression: for each table the number of the tenant's rows, up to 20,000, and the first and the last key.
 * Two databases whose summaries differ do not have the same rows.
 */
function summarize(tenantId: string): SQL {
  const parts = tenantTables.flatMap(({ table, key }) => {
    const ofTenant = sql`FROM ${table} WHERE ${sql.identifier(table.tenantId.name)} = ${tenantId}`;
    const findEnd = (direction: SQL) => {
      const inOrder = key.map(({ name }) => sql`${sql.identifier(name)} ${direction}`);
      return sql`(SELECT json_array(${joinNames(key)}) ${ofTenant} ORDER BY ${sql.join(inOrder, sql`, `)} LIMIT 1)`;
    };
    return [
      sql`(SELECT count(*) FROM (SELECT 1 ${ofTenant} LIMIT ${maxCountedRows}))`,
      ...(key.length === 0 ? [] : [findEnd(sql`ASC`), findEnd(sql`DESC`)]),
    ];
  });
  return sql`json_array(${sql.join(parts, sql`, `)})`;
}

export async function readSummary(db: Database, tenantId: string): Promise<string> {
  const [found] = await awaitStore(db.all(sql`SELECT ${summarize(tenantId)} AS summary`));
  return summaryRow.parse(found).summary;
}

/**
 * Opens the new database if its rows have the summary in this very instant.
 * @returns false if they do not, and the database stays closed
 */
export async function openIfComplete(
  db: Database,
  relocation: RelocationKey,
  summary: string,
): Promise<boolean> {
  return await openFence(db, relocation, sql`${summarize(relocation.tenantId)} = ${summary}`);
}
