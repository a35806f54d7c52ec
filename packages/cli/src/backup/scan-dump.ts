/**
 * Loads an export of D1 into a scratch database of SQLite. That proves that it can be loaded, and tells what it
 * contains.
 */
import { createReadStream } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { Failure } from "../failure.ts";
import { splitLines } from "./lines.ts";
import type { BackedUpDatabase, Trail } from "./manifest.ts";

/** SQLite says so of a statement that does not end yet: a text with line breaks, or the body of a trigger. */
const isUnfinished = /incomplete input|unrecognized token/;

/** The module prints a warning that it is experimental. */
async function openScratch(file: string): Promise<DatabaseSync> {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const { DatabaseSync } = await import("node:sqlite");
    // An export has the tables in any order.
    return new DatabaseSync(file, { enableForeignKeyConstraints: false });
  } finally {
    process.emitWarning = emitWarning;
  }
}

function isIncomplete(error: unknown): boolean {
  return error instanceof Error && isUnfinished.test(error.message);
}

/** @throws Failure if a statement cannot be run */
async function load(
  db: DatabaseSync,
  file: string,
  onStatement: (statement: string) => void,
): Promise<void> {
  db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
  let statement = "";
  for await (const line of splitLines(createReadStream(file, "utf8"))) {
    statement += statement === "" ? line : `\n${line}`;
    if (!line.endsWith(";")) continue;
    try {
      db.exec(statement);
      onStatement(statement);
      statement = "";
    } catch (error) {
      if (isIncomplete(error)) continue;
      throw new Failure(
        `${file} cannot be loaded: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
  if (statement.trim() !== "") throw new Failure(`${file} ends within a statement.`);
  db.exec("COMMIT");
  if (db.prepare("PRAGMA foreign_key_check").get() !== undefined) {
    throw new Failure(`${file} has a row that refers to another one that is missing.`);
  }
}

const names = z.array(z.object({ name: z.string() }));
const counted = z.object({ count: z.int() });
const trailRows = z.array(
  z.object({
    tenant_id: z.string(),
    size: z.int(),
    first_leaf: z.int().nullable(),
    note: z.string(),
  }),
);

/** Rows of each table of the product, and the migrations. */
function countRows(db: DatabaseSync): Record<string, number> {
  const tables = names.parse(
    db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
      .all(),
  );
  return Object.fromEntries(
    tables
      .map(({ name }): [string, number] => {
        const row = db.prepare(`SELECT count(*) AS count FROM "${name}"`).get();
        return [name, counted.parse(row).count];
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

export interface DumpContents extends Pick<BackedUpDatabase, "migrations" | "rows"> {
  readonly trails: readonly Omit<Trail, "shard">[];
}

/**
 * @param scratch an empty file for the scratch database
 * @param onStatement gets each statement, in the order of the file
 * @throws Failure if the export is damaged, or not of this product
 */
export async function scanDump(
  file: string,
  scratch: string,
  onStatement: (statement: string) => void = () => {},
): Promise<DumpContents> {
  const db = await openScratch(scratch);
  try {
    await load(db, file, onStatement);
    const rows = countRows(db);
    const { d1_migrations: migrations, audit_trees: trees } = rows;
    if (migrations === undefined || trees === undefined) {
      throw new Failure(`${file} is no export of a database of Edge IDP.`);
    }
    const found = trailRows.parse(
      db
        .prepare(
          `SELECT tenant_id, size, note, (SELECT min(leaf_index) FROM audit_events AS event
             WHERE event.tenant_id = audit_trees.tenant_id) AS first_leaf
           FROM audit_trees ORDER BY tenant_id`,
        )
        .all(),
    );
    const trails = found.map(({ first_leaf, ...trail }) => ({
      ...trail,
      first_leaf: first_leaf ?? trail.size,
    }));
    return { migrations, rows, trails };
  } finally {
    db.close();
  }
}
