/** Measures how much D1 grows with each operation, and compares it with the table in docs/scale.md. */
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import document from "../../docs/scale.md?raw";
import { toHex } from "../../src/crypto/bytes.ts";
import { strideOf } from "../support/campaign.ts";
import { Tenant, User } from "../support/client.ts";
import { drainOutbox } from "../support/delivered-trail.ts";

const agent =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

/** How full pages are depends on the order of keys. */
const tolerance = 0.12;
/** Each user does an operation so often, and the rows are then inserted so many times more under further keys. */
const samples = 3;
const copies = 400 / strideOf(4);

/** The tables that grow, with the order in which their rows arrived. */
const grown = { identities: "created_at", audit_events: "leaf_index", assessments: "id" } as const;
type GrownTable = keyof typeof grown;
type Row = Record<string, string | number | null>;

const tables: readonly GrownTable[] = ["identities", "audit_events", "assessments"];

async function readSize(): Promise<number> {
  const { meta } = await env.DB.prepare("UPDATE tenants SET name = name WHERE id = ''").run();
  return meta.size_after;
}

async function readRows(table: GrownTable): Promise<Row[]> {
  const rows = await env.DB.prepare(`SELECT * FROM ${table} ORDER BY ${grown[table]}`).all<Row>();
  return rows.results;
}

/** Several tenants: their rows lie between one another, so that pages are as full as in a shared database. */
async function createUsers(): Promise<User[]> {
  const users: User[] = [];
  for (let n = 0; n < 5; n += 1) users.push(await User.withTotp(await Tenant.create()));
  return users;
}

/** Ids that begin with a time get a later one. The id of an identity is a hash. */
function createCopy(table: GrownTable, row: Row, copy: number, count: number): Row {
  const id = String(row.id);
  if (table === "identities") {
    const bytes = crypto.getRandomValues(new Uint8Array(id.length / 2));
    return { ...row, id: toHex(bytes) };
  }
  const time = (Number.parseInt(id.slice(0, 12), 16) + copy * 60_000).toString(16);
  const later = { ...row, id: time.padStart(12, "0") + id.slice(12) };
  const { leaf_index: index } = row;
  return index === undefined ? later : { ...later, leaf_index: Number(index) + copy * count };
}

async function insertRows(table: GrownTable, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const values = columns.map((name) => `value ->> '${name}'`).join();
  await env.DB.prepare(
    `INSERT INTO ${table} (${columns.join()}) SELECT ${values} FROM json_each(?)`,
  )
    .bind(JSON.stringify(rows))
    .run();
}

/** @returns bytes in D1 for each operation */
async function measureGrowth(
  users: readonly User[],
  act: (user: User) => Promise<unknown>,
): Promise<number> {
  const known = new Map<string, Set<unknown>>();
  for (const table of tables) {
    known.set(table, new Set((await readRows(table)).map(({ id }) => id)));
  }
  for (let n = 0; n < samples; n += 1) for (const user of users) await act(user);
  for (const user of users) await drainOutbox(user);
  const added = new Map<GrownTable, Row[]>();
  for (const table of tables) {
    const rows = await readRows(table);
    added.set(
      table,
      rows.filter(({ id }) => known.get(table)?.has(id) === false),
    );
  }
  const before = await readSize();
  for (let copy = 1; copy <= copies / samples; copy += 1) {
    for (const [table, rows] of added) {
      const perTenant = rows.length / users.length;
      if (rows.length === 0) continue;
      await insertRows(
        table,
        rows.map((row) => createCopy(table, row, copy, perTenant)),
      );
    }
  }
  const operations = Math.floor(copies / samples) * samples * users.length;
  return ((await readSize()) - before) / operations;
}

const measured = new Map<string, number>();

beforeAll(async () => {
  const users = await createUsers();
  for (const user of users) {
    for (let n = 0; n < 10; n += 1) {
      const { assessment_id: id } = await user.assess({ ua: agent });
      await user.sendFeedback(id, "legitimate");
    }
    await drainOutbox(user);
  }
  const discover = async (user: User) => await user.assess({ ua: agent });
  measured.set("discovery: assessment and event", await measureGrowth(users, discover));
  for (const { tenant } of users) {
    await tenant.setSettings({ lockout: { max_failed_attempts: 100 } });
  }
  const verify = async (user: User) => await user.verify(user.wrongCode(Date.now()));
  measured.set("verification: event", await measureGrowth(users, verify));
  const provision = async ({ tenant }: User) => {
    const user = await User.withTotp(tenant);
    await user.backupCodes();
    await drainOutbox(user);
  };
  measured.set(
    "identity with TOTP and ten backup codes: record and three events",
    await measureGrowth(users, provision),
  );
}, 120_000);

afterAll(() => {
  // biome-ignore lint/suspicious/noConsole: the table of docs/scale.md is updated from this.
  console.log([...measured].map(([what, bytes]) => `${what}: ${Math.round(bytes)}`).join("\n"));
});

function readDocumented(what: string): number {
  const line = document.split("\n").find((one) => one.startsWith(`| ${what} |`));
  return Number(line?.split("|")[2]?.trim().replace(",", ""));
}

describe("The bytes that D1 keeps", () => {
  it.each([
    "discovery: assessment and event",
    "verification: event",
    "identity with TOTP and ten backup codes: record and three events",
  ])("of a %s are those of docs/scale.md", (what) => {
    const documented = readDocumented(what);
    const bytes = measured.get(what) ?? 0;
    expect(Math.abs(bytes - documented), `${what}: ${bytes}`).toBeLessThan(tolerance * documented);
  });
});
