import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { databases } from "../support/databases.ts";
import { tenantTables } from "../support/relocation.ts";

async function listTables(database: D1Database): Promise<{ name: string; wr: number }[]> {
  const { results } = await database
    .prepare("PRAGMA table_list")
    .all<{ name: string; wr: number }>();
  return results.filter(({ name }) => !/^(sqlite|_cf|d1)_/i.test(name));
}

/** Inserts a row with these values. Other columns that need one get 1, or the text "1". */
async function insert(
  database: D1Database,
  table: string,
  values: Readonly<Record<string, string | number>>,
): Promise<void> {
  const { results } = await database
    .prepare(`PRAGMA table_info(${table})`)
    .all<{ name: string; notnull: number; dflt_value: string | null }>();
  const needed = results.filter(({ notnull, dflt_value }) => notnull === 1 && dflt_value === null);
  const row = { ...Object.fromEntries(needed.map(({ name }) => [name, 1])), ...values };
  const names = Object.keys(row).map((name) => `"${name}"`);
  await database
    .prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => "?").join()})`)
    .bind(...Object.values(row))
    .run();
}

describe("The migrations", () => {
  it("create the wide tables WITHOUT ROWID, so that a row is written once", async () => {
    const tables = await listTables(env.DB);
    const described = tables.map(({ name, wr }) => `${name}${wr === 1 ? " without rowid" : ""}`);
    expect(described.toSorted()).toEqual([
      "api_tokens",
      "archived_successes without rowid",
      "assessments without rowid",
      "audit_events without rowid",
      "audit_tiles without rowid",
      "audit_trees without rowid",
      "control_outbox without rowid",
      "destinations without rowid",
      "identities without rowid",
      "job_cursors without rowid",
      "key_versions",
      "passkey_claims without rowid",
      "personal_expiries without rowid",
      "populations without rowid",
      "re_encryptions",
      "relocations without rowid",
      "request_keys without rowid",
      "space_reserve",
      "tenant_deletions without rowid",
      "tenant_fences without rowid",
      "tenant_statistics without rowid",
      "tenants",
    ]);
  });

  it("apply to a database with data, also of tenants that are moving", async () => {
    const [, , database] = databases();
    const apply = async (migrations: typeof env.TEST_MIGRATIONS) =>
      await database.batch(
        migrations.flatMap(({ queries }) => queries.map((query) => database.prepare(query))),
      );
    for (const { name } of await listTables(database)) {
      await database.prepare(`DROP TABLE ${name}`).run();
    }
    const marked = env.TEST_MIGRATIONS.findIndex(({ name }) => name.startsWith("0005"));
    await apply(env.TEST_MIGRATIONS.slice(0, marked));
    const earlier = new Set((await listTables(database)).map(({ name }) => name));
    const filledTables = tenantTables.filter((name) => earlier.has(name));
    const states = ["none", "here", "leaving", "left", "arriving"];
    for (const state of states) {
      for (const table of filledTables) {
        const sizes = table === "audit_trees" ? { forwarded_size: 7 } : {};
        await insert(database, table, { tenant_id: state, ...sizes });
      }
      if (state === "none") continue;
      await insert(database, "tenant_fences", { tenant_id: state, state, move: "m" });
    }
    const moves = [
      { tenant_id: "leaves", phase: "switching", from_shard: 0, to_shard: 1 },
      { tenant_id: "was reversed", phase: "switching", from_shard: 1, to_shard: 0 },
      { tenant_id: "is cleared", phase: "clearing", from_shard: 0, to_shard: 1 },
      { tenant_id: "has left", phase: "cleaning", from_shard: 1, to_shard: 0 },
    ];
    for (const move of moves) {
      await insert(database, "tenants", { id: move.tenant_id });
      await insert(database, "relocations", move);
    }

    await apply(env.TEST_MIGRATIONS.slice(marked));
    const read = async (query: string) => (await database.prepare(query).raw()).map(String);
    expect(await read("SELECT tenant_id, bucket_size FROM audit_trees ORDER BY tenant_id")).toEqual(
      ["arriving,0", "here,7", "leaving,0", "left,0", "none,7"],
    );
    expect(await read("SELECT tenant_id, phase FROM relocations ORDER BY tenant_id")).toEqual([
      "has left,cleaning",
      "is cleared,leaving",
      "leaves,switching",
      "was reversed,returning",
    ]);
    expect(await read("SELECT DISTINCT status, suspended_at FROM tenants")).toEqual(["active,"]);
    const deletable: string[] = [];
    for (const state of states) {
      for (const table of filledTables) {
        const deletion = database.prepare(`DELETE FROM ${table} WHERE tenant_id = ?`).bind(state);
        const isDeleted = deletion.run().then(
          () => true,
          () => false,
        );
        if (await isDeleted) deletable.push(`${state} ${table}`);
      }
    }
    expect(deletable).toEqual(
      ["none", "here", "left"].flatMap((state) => filledTables.map((table) => `${state} ${table}`)),
    );
    const used = ["tenant_fences", "tenants", "relocations", ...tenantTables];
    await database.batch(used.map((table) => database.prepare(`DELETE FROM ${table}`)));
  });
});
