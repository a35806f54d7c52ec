/**
 * Makes a tenant large by copies of its identities and events under other ids. The cost of a request depends on
 * their number, not on their contents.
 */
import { linkSync, readdirSync } from "node:fs";
import { join } from "node:path";

const rowsPerStatement = 50_000;
/** The number of rows that serve as models for the copies. */
const modelRows = 100;
/** Hard links to one file; ext4 allows 65,000. */
const namesPerFile = 50_000;
/** The age of the oldest event. */
const trailMs = 90 * 24 * 60 * 60 * 1000;

/** A table of the numbers from 1 to parameter 1. */
const numbers =
  "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)";

/** Copies rows of a tenant with other values in some columns. `number.n` is the number of a copy. */
async function copyRows(
  db: D1Database,
  table: string,
  tenantId: string,
  others: Readonly<Record<string, string>>,
  count: number,
): Promise<void> {
  const { results } = await db.prepare(`PRAGMA table_info(${table})`).run<{ name: string }>();
  const names = results.map(({ name }) => name);
  const values = names.map((name) => others[name] ?? `model."${name}"`);
  const columns = names.map((name) => `"${name}"`).join(", ");
  for (let left = count; left > 0; left -= rowsPerStatement) {
    await db
      .prepare(
        `${numbers}, model AS (SELECT row_number() OVER () AS position, count(*) OVER () AS size, * FROM (SELECT * FROM ${table} WHERE tenant_id = ?2 LIMIT ${modelRows}))
        INSERT INTO ${table} (${columns}) SELECT ${values.join(", ")} FROM number JOIN model ON model.position = number.n % model.size + 1`,
      )
      .bind(Math.min(left, rowsPerStatement), tenantId)
      .run();
  }
}

/** Counts the rows of a tenant. */
export async function countRows(
  db: D1Database,
  table: "identities" | "audit_events",
  tenantId: string,
): Promise<number> {
  const statement = db.prepare(`SELECT count(*) AS n FROM ${table} WHERE tenant_id = ?`);
  return (await statement.bind(tenantId).first<number>("n")) ?? 0;
}

/** Fills the directory up to that many identities. */
export async function fillDirectory(db: D1Database, tenantId: string, people: number) {
  const missing = people - (await countRows(db, "identities", tenantId));
  const id = "lower(hex(randomblob(12)))";
  const others = { id, external_id: "'ORG_USR_' || lower(hex(randomblob(8)))" };
  await copyRows(db, "identities", tenantId, others, missing);
}

/** Fills the trail up to that many events, ordered by time. */
export async function fillTrail(db: D1Database, tenantId: string, events: number, now: number) {
  const missing = events - (await countRows(db, "audit_events", tenantId));
  // An id begins with its time in 48 bits.
  const at = `${now - trailMs} + CAST(number.n * ${trailMs / rowsPerStatement} AS INTEGER)`;
  const others = {
    leaf_index: `(SELECT max(leaf_index) FROM audit_events WHERE tenant_id = ?2) + number.n`,
    id: `printf('%012x', ${at}) || lower(hex(randomblob(6)))`,
  };
  await copyRows(db, "audit_events", tenantId, others, missing);
}

/** Finds the folder with the stores of a class. */
function findStores(folder: string, className: string): string {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory() && entry.name.endsWith(className)) {
      return join(entry.parentPath, entry.name);
    }
  }
  throw new Error(`There are no stores of ${className} in ${folder}`);
}

/** Adds files of guards up to that number, as hard links to existing ones. No process opens them. */
export function addGuardFiles(folder: string, guards: number): void {
  const stores = findStores(folder, "IdentityGuard");
  const files = readdirSync(stores).filter((name) => name.endsWith(".sqlite"));
  const present = files.length;
  for (let n = present; n < guards; n += 1) {
    const file = files[Math.floor(n / namesPerFile)];
    if (file === undefined) throw new Error("There are too few guards to copy");
    linkSync(join(stores, file), join(stores, `${n.toString(16).padStart(64, "0")}.sqlite`));
  }
}

/** Measures how long the states and events of a tenant are in D1 on average, in characters. */
export async function measureLengths(db: D1Database, tenantId: string) {
  const averageOf = async (length: string, table: string): Promise<number> => {
    const sql = `SELECT avg(${length}) AS n FROM ${table} WHERE tenant_id = ?`;
    return Math.round((await db.prepare(sql).bind(tenantId).first<number>("n")) ?? 0);
  };
  const { results } = await db.prepare("PRAGMA table_info(audit_events)").run<{ name: string }>();
  const event = results.map(({ name }) => `coalesce(length("${name}"), 0)`).join(" + ");
  return {
    stateLength: await averageOf("length(state)", "identities"),
    eventLength: await averageOf(event, "audit_events"),
  };
}
