/** Many logs in many databases: no log waits for those before it. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { integrateLogs, integrationLimits } from "../../../src/audit/tree/integrate.ts";
import { databaseOf } from "../../../src/db/shards.ts";
import { databases } from "../../support/databases.ts";
import { fileEventEach } from "../../support/trail.ts";

afterEach(() => vi.restoreAllMocks());

let created = 0;

/** Ids of logs that no other test uses, in order. */
function createLogIds(count: number): string[] {
  created += 1;
  const prefix = `ee${String(created).padStart(2, "0")}`;
  return Array.from({ length: count }, (_, n) => prefix + n.toString(16).padStart(20, "0"));
}

/** An environment with ten databases; the last seven are `DB_2` again. */
function withTenDatabases(): Env {
  const [, , DB_2] = databases();
  const more = Array.from({ length: 7 }, (_, n) => [`DB_${n + 3}`, DB_2] as const);
  return { ...env, ...Object.fromEntries(more) };
}

/** Counts the logs among these that have a head. */
async function countHeads(tenantIds: readonly string[]): Promise<number> {
  const [, DB_1] = databases();
  const row = await DB_1.prepare(
    `SELECT count(*) AS heads FROM audit_trees
    WHERE tenant_id IN (SELECT value FROM json_each(?)) AND size > 0`,
  )
    .bind(JSON.stringify(tenantIds))
    .first<{ heads: number }>();
  return row?.heads ?? 0;
}

const { DB_1: _first, DB_2: _second, ...rest } = env;
/** An environment with `DB_1` alone. */
const one = { ...rest, DB: databases()[1] };

/** Reads the sizes of the trees, in the order of the ids. */
async function readSizes(tenantIds: readonly string[]): Promise<number[]> {
  const [, db] = databases();
  const { results } = await db
    .prepare(
      `SELECT coalesce(size, 0) AS size FROM json_each(?) AS id
      LEFT JOIN audit_trees ON tenant_id = id.value ORDER BY id.value`,
    )
    .bind(JSON.stringify(tenantIds))
    .all<{ size: number }>();
  return results.map(({ size }) => size);
}

describe("With ten databases", () => {
  it("450 logs of one of them all get a head in one pass", async () => {
    const ids = createLogIds(450);
    await fileEventEach(databaseOf(env, 1), ids);
    await integrateLogs(withTenDatabases(), Date.now());
    expect(await countHeads(ids)).toBe(450);
  });
});

describe("The rounds of a pass", () => {
  it("first give every log of every database a turn, although long logs need them all", async () => {
    await integrateLogs(env, Date.now());
    const [long = "", ...ids] = createLogIds(61);
    await fileEventEach(
      databaseOf(env, 2),
      Array.from({ length: 300 }, () => long),
    );
    await fileEventEach(databaseOf(env, 1), ids);
    // Four rounds: one for the long log, and three of 20 logs.
    const few = { ...integrationLimits, maxRounds: 4, maxLogsPerRound: 20, maxEventsPerRound: 20 };
    await integrateLogs(env, Date.now(), few);
    expect(await readSizes(ids)).toEqual(ids.map(() => 1));
  });
});

describe("When more waits than one pass can integrate", () => {
  const limits = {
    ...integrationLimits,
    maxRounds: 2,
    maxLogsPerRound: 20,
    maxEventsPerRound: 200,
  };
  it("each pass continues where the previous one ended, so that every log is reached", async () => {
    await integrateLogs(env, Date.now());
    const ids = createLogIds(100);
    // Two rounds of 20 logs in a pass: 100 logs need three passes, although all have something new each time.
    for (let pass = 0; pass < 3; pass += 1) {
      await fileEventEach(databaseOf(env, 1), ids);
      await integrateLogs(one, Date.now(), limits);
    }
    expect((await readSizes(ids)).filter((size) => size === 0)).toEqual([]);
  });

  it("a long log does not hold up the short ones", async () => {
    await integrateLogs(env, Date.now());
    const ids = createLogIds(30);
    const [long = ""] = ids;
    await fileEventEach(databaseOf(env, 1), [...Array.from({ length: 500 }, () => long), ...ids]);
    await integrateLogs(one, Date.now(), limits);
    const [size = 0, ...others] = await readSizes(ids);
    expect(others).toEqual(others.map(() => 1));
    expect(size).toBeGreaterThan(100);
    expect(size).toBeLessThan(501);
  });

  it("logs that always fail do not hold up the others", async () => {
    await integrateLogs(env, Date.now());
    const ids = createLogIds(80);
    await fileEventEach(databaseOf(env, 1), ids);
    const [, db] = databases();
    const damaged = ids.slice(0, 40);
    await db
      .prepare(
        "UPDATE audit_events SET reason = 'forged' WHERE tenant_id IN (SELECT value FROM json_each(?))",
      )
      .bind(JSON.stringify(damaged))
      .run();
    vi.spyOn(console, "error").mockImplementation(() => {});
    for (let pass = 0; pass < 2; pass += 1) await integrateLogs(one, Date.now(), limits);
    expect(await readSizes(ids)).toEqual(ids.map((_, n) => (n < 40 ? 0 : 1)));
    await db
      .prepare("DELETE FROM audit_events WHERE tenant_id IN (SELECT value FROM json_each(?))")
      .bind(JSON.stringify(damaged))
      .run();
  });

  it("a log whose tenant is moving is found and left out, and the others of its round are integrated", async () => {
    await integrateLogs(env, Date.now());
    const ids = createLogIds(40);
    await fileEventEach(databaseOf(env, 1), ids);
    const [, db] = databases();
    const [moving = ""] = ids.slice(17);
    // The fence is set after the logs were listed, and before their heads are written.
    const session = Object.getPrototypeOf(db);
    const { batch } = session;
    const spy = vi.spyOn(session, "batch").mockImplementationOnce(async function (
      this: unknown,
      ...args
    ) {
      await db
        .prepare("INSERT INTO tenant_fences (tenant_id, state, move) VALUES (?, 'leaving', 'm')")
        .bind(moving)
        .run();
      return await batch.apply(this, args);
    });
    vi.spyOn(console, "info").mockImplementation(() => {});
    await integrateLogs(one, Date.now());
    spy.mockRestore();
    expect(await readSizes(ids)).toEqual(ids.map((id) => (id === moving ? 0 : 1)));
  });
});

describe("Logs without a head", () => {
  it("are looked up in the witness together, and one that it has is not begun again", async () => {
    await integrateLogs(env, Date.now());
    const ids = createLogIds(30);
    const witnessed = ids.filter((_, n) => n % 7 === 3);
    const isWitnessed = (id: string) => witnessed.includes(id);
    for (const id of witnessed) await env.AUDIT_WITNESS.put(`head/${id}/1`, "");
    await fileEventEach(databaseOf(env, 1), ids);
    const namespace = Object.getPrototypeOf(env.AUDIT_WITNESS);
    const { list } = namespace;
    // Short pages, so that one list does not answer for all.
    const spy = vi.spyOn(namespace, "list").mockImplementation(function (this: unknown, ...args) {
      return list.apply(this, [{ ...Object(args[0]), limit: 3 }]);
    });
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    await integrateLogs(one, Date.now());
    expect(spy.mock.calls.length).toBeLessThan(30);
    spy.mockRestore();
    expect(await readSizes(ids)).toEqual(ids.map((id) => (isWitnessed(id) ? 0 : 1)));
    expect(error.mock.calls.map(([line]) => JSON.parse(String(line)).event)).toEqual(
      witnessed.map(() => "audit_tree_damaged"),
    );
    await databases()[1]
      .prepare("DELETE FROM audit_events WHERE tenant_id IN (SELECT value FROM json_each(?))")
      .bind(JSON.stringify(witnessed))
      .run();
  });
});
