/**
 * Makes a tenant large. People and events beyond those that the API made are copies of theirs under
 * other ids: for what a request costs it counts how many there are, not what is in them.
 */
import { linkSync, readdirSync } from "node:fs";
import { join } from "node:path";

const rowsPerStatement = 50_000;
/** Rows that are copied. */
const models = 100;
/** A file takes no more names than this (ext4: 65,000). */
const namesPerFile = 50_000;
/** How far back the events lie, ms. */
const trailMs = 90 * 24 * 60 * 60 * 1000;

/** Numbers from 1 on. */
const numbers =
  "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)";

/** Copies rows of a tenant, with other values in some columns; `number.n` numbers the copies. */
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
        `${numbers}, model AS (SELECT row_number() OVER () AS place, count(*) OVER () AS places, * FROM (SELECT * FROM ${table} WHERE tenant_id = ?2 LIMIT ${models}))
        INSERT INTO ${table} (${columns}) SELECT ${values.join(", ")} FROM number JOIN model ON model.place = number.n % model.places + 1`,
      )
      .bind(Math.min(left, rowsPerStatement), tenantId)
      .run();
  }
}

/** Rows of a tenant. */
export async function countRows(
  db: D1Database,
  table: "identities" | "audit_events",
  tenantId: string,
): Promise<number> {
  const statement = db.prepare(`SELECT count(*) AS n FROM ${table} WHERE tenant_id = ?`);
  return (await statement.bind(tenantId).first<number>("n")) ?? 0;
}

/** Fills the directory up to that many people. */
export async function fillDirectory(db: D1Database, tenantId: string, people: number) {
  const missing = people - (await countRows(db, "identities", tenantId));
  const id = "lower(hex(randomblob(12)))";
  const others = { id, external_id: "'ORG_USR_' || lower(hex(randomblob(8)))" };
  await copyRows(db, "identities", tenantId, others, missing);
}

/** Fills the trail up to that many events, in the order of time. */
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

/** The folder in which the stores of a class lie. */
function storesOf(folder: string, className: string): string {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory() && entry.name.endsWith(className)) {
      return join(entry.parentPath, entry.name);
    }
  }
  throw new Error(`There are no stores of ${className} in ${folder}`);
}

/**
 * Puts as many more guards beside those that are there: further names of their files, which nobody
 * opens.
 */
export function addGuardFiles(folder: string, guards: number): void {
  const stores = storesOf(folder, "IdentityGuard");
  const files = readdirSync(stores).filter((name) => name.endsWith(".sqlite"));
  const present = files.length;
  for (let n = present; n < guards; n += 1) {
    const file = files[Math.floor(n / namesPerFile)];
    if (file === undefined) throw new Error("There are too few guards to copy");
    linkSync(join(stores, file), join(stores, `${n.toString(16).padStart(64, "0")}.sqlite`));
  }
}
