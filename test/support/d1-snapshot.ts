/** Snapshots of D1. Restoring one does the same as D1 Time Travel. */
import { env } from "cloudflare:workers";

type Row = Record<string, string | number | null>;

/** Parents come before children, so that foreign keys hold. */
const tables = [
  "tenants",
  "api_tokens",
  "destinations",
  "identities",
  "audit_events",
  "audit_tiles",
  "audit_trees",
  "assessments",
  "populations",
  "tenant_statistics",
  "archived_successes",
  "passkey_claims",
  "personal_expiries",
  "request_keys",
  "key_versions",
  "re_encryptions",
  "control_outbox",
  "relocations",
  "tenant_deletions",
  "tenant_fences",
  "space_reserve",
  "job_cursors",
];

/** Copies all tables of a database. @returns a function that restores the copy */
export async function snapshotOfD1(database = env.DB): Promise<() => Promise<void>> {
  const { results } = await database.prepare("PRAGMA table_list").all<{ name: string }>();
  const unknown = results
    .map(({ name }) => name)
    .filter((name) => !/^(sqlite|_cf|d1)_/i.test(name) && !tables.includes(name));
  if (unknown.length > 0) throw new Error(`Not in the snapshot: ${unknown.join(", ")}`);
  const copies = await Promise.all(
    tables.map(async (table) => {
      const rows = await database.prepare(`SELECT * FROM ${table}`).all<Row>();
      return { table, rows: rows.results };
    }),
  );
  return async () => {
    await database.batch([
      ...tables.toReversed().map((table) => database.prepare(`DELETE FROM ${table}`)),
      ...copies.flatMap(({ table, rows }) =>
        rows.map((row) => {
          const placeholders = Object.keys(row).map(() => "?");
          return database
            .prepare(
              `INSERT INTO ${table} ("${Object.keys(row).join('", "')}") VALUES (${placeholders.join(", ")})`,
            )
            .bind(...Object.values(row));
        }),
      ),
    ]);
  };
}
