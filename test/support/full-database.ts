/**
 * Databases that are full. The local D1 refuses `PRAGMA max_page_count`, so triggers count the space that is
 * left, in units of a kilobyte: an inserted row uses one and a deleted row gives one back, a row of the space
 * reserve uses 16. As in SQLite, space that a batch frees is usable within the batch, and a batch that fails
 * frees and uses nothing.
 */

import { env } from "cloudflare:workers";
import { databaseOf } from "../../src/db/shards.ts";
import { addToReserve, operatorChunks } from "../../src/db/space-reserve.ts";
import { databases } from "./databases.ts";

type Shard = 0 | 1 | 2;

const chunkUnits = 16;
/** The text of D1's error (https://developers.cloudflare.com/d1/observability/debug-d1/). */
const fullMessage = "Exceeded maximum DB size";

async function listTables(database: D1Database): Promise<string[]> {
  const { results } = await database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all<{ name: string }>();
  return results.map(({ name }) => name).filter((name) => !/^(sqlite|_cf|d1)_/i.test(name));
}

function buildTriggers(table: string): string[] {
  const units = table === "space_reserve" ? chunkUnits : 1;
  const refuse = `BEGIN SELECT RAISE(ABORT, '${fullMessage}'); END`;
  const lacks = (needed: number) => `WHEN (SELECT free FROM counted_space) < ${needed}`;
  const count = (sign: "+" | "-") =>
    `BEGIN UPDATE counted_space SET free = free ${sign} ${units}; END`;
  return [
    `CREATE TRIGGER full_${table}_insert BEFORE INSERT ON ${table} ${lacks(units)} ${refuse}`,
    `CREATE TRIGGER full_${table}_update BEFORE UPDATE ON ${table} ${lacks(1)} ${refuse}`,
    `CREATE TRIGGER full_${table}_inserted AFTER INSERT ON ${table} ${count("-")}`,
    `CREATE TRIGGER full_${table}_deleted AFTER DELETE ON ${table} ${count("+")}`,
  ];
}

/** The number of chunks in the space reserve of a database, with the operator's. */
export async function countReserve(shard: Shard): Promise<number> {
  const row = databases()[shard].prepare("SELECT count(*) AS n FROM space_reserve");
  return (await row.first<number>("n")) ?? 0;
}

/** Replaces the space reserve by that many chunks. */
export async function setReserve(shard: Shard, chunks: number): Promise<void> {
  await databases()[shard].prepare("DELETE FROM space_reserve").run();
  if (chunks > 0) await addToReserve(databaseOf(env, shard), chunks);
}

/**
 * Runs `work` while the database is full.
 * @param reserveChunks chunks in the reserve, besides those that are the operator's
 */
export async function withFullDatabase<T>(
  shard: Shard,
  reserveChunks: number,
  work: () => Promise<T>,
): Promise<T> {
  const database = databases()[shard];
  await setReserve(shard, operatorChunks + reserveChunks);
  const tables = await listTables(database);
  const triggers = tables.flatMap(buildTriggers);
  await database.batch(
    [
      "CREATE TABLE counted_space (free integer NOT NULL)",
      "INSERT INTO counted_space VALUES (0)",
      ...triggers,
    ].map((text) => database.prepare(text)),
  );
  try {
    return await work();
  } finally {
    const names = triggers.map((text) => text.split(" ")[2]);
    await database.batch(
      [...names.map((name) => `DROP TRIGGER ${name}`), "DROP TABLE counted_space"].map((text) =>
        database.prepare(text),
      ),
    );
    await setReserve(shard, 0);
  }
}

/** Adds free space to a database that is full, in kilobytes. */
export async function freeSpace(shard: Shard, kilobytes: number): Promise<void> {
  await databases()
    [shard].prepare("UPDATE counted_space SET free = free + ?")
    .bind(kilobytes)
    .run();
}
