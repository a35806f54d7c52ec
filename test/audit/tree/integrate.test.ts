import { env } from "cloudflare:workers";
import { hex } from "@scure/base";
import { describe, expect, it, vi } from "vitest";
import { integrateLogs } from "../../../src/audit/tree/integrate.ts";
import { TreeHasher } from "../../../src/audit/tree/merkle.ts";
import { parseNote } from "../../../src/audit/tree/note.ts";
import { onSchedule } from "../../../src/scheduled.ts";
import { Tenant, User } from "../../support/client.ts";
import { type D1Fault, withD1Fault } from "../../support/d1-faults.ts";
import {
  eventOf,
  fetchCheckpoint,
  fetchExport,
  fileEvents,
  rowsOf,
  sql,
} from "../../support/trail.ts";

const everyMinute = "* * * * *";

async function treeOf(tenant: Tenant) {
  const [tree] = await rowsOf("audit_trees", tenant.id);
  return tree;
}

/** The export is the whole log, each leaf once and in its place, under the root that is signed. */
async function expectWhole(tenant: Tenant, size: number): Promise<void> {
  const { tree_size, root_hash } = await fetchCheckpoint(tenant);
  const lines = await fetchExport(tenant);
  const hasher = new TreeHasher();
  for (const [index, line] of lines.entries()) {
    expect(line.leaf_index).toBe(index);
    hasher.append(hex.decode(line.leaf_hash));
  }
  expect(tree_size).toBe(size);
  expect(lines).toHaveLength(size);
  expect(hex.encode(hasher.root())).toBe(root_hash);
}

async function manyEvents(tenant: Tenant, count: number): Promise<void> {
  const at = Date.now();
  await fileEvents(
    tenant.id,
    Array.from({ length: count }, (_, n) => eventOf(tenant.id, at + n)),
  );
}

async function logged(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const spies = (["info", "error"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(JSON.parse(line))),
  );
  await work();
  for (const spy of spies) spy.mockRestore();
  return lines;
}

describe("The sealer", () => {
  it("seals what has arrived, and signs it, by itself every half minute", async () => {
    const tenant = await Tenant.create();
    const wait = vi.spyOn(scheduler, "wait").mockImplementation(async (ms) => {
      expect(ms).toBeLessThanOrEqual(30_000);
      expect((await treeOf(tenant))?.size).toBe(2);
      await User.provision(tenant);
    });
    await onSchedule(env, everyMinute, Date.now());
    wait.mockRestore();
    expect((await treeOf(tenant))?.size).toBe(3);
  });

  it("neither skips nor doubles a leaf when several run at once, in many rounds", async () => {
    const tenant = await Tenant.create();
    for (let n = 0; n < 5; n += 1) await manyEvents(tenant, 1_000);
    await Promise.all([
      ...Array.from({ length: 4 }, () => integrateLogs(env, Date.now())),
      fetchCheckpoint(tenant),
      manyEvents(tenant, 300),
    ]);
    await integrateLogs(env, Date.now());
    await expectWhole(tenant, 5_302);
  });

  it("goes through more logs than fit into one round", async () => {
    const tenants: Tenant[] = [];
    for (let n = 0; n < 90; n += 1) tenants.push(await Tenant.create());
    await integrateLogs(env, Date.now());
    for (const tenant of tenants) expect((await treeOf(tenant))?.size).toBe(2);
  });

  it.each(["throws", "hangs", "fails on write", "loses the reply to a write"] as const)(
    "cut short by a D1 that %s leaves a whole tree, and the next pass goes on",
    async (fault: D1Fault) => {
      const tenant = await Tenant.create();
      await integrateLogs(env, Date.now());
      await manyEvents(tenant, 300);
      await withD1Fault(fault, async () => await integrateLogs(env, Date.now()));
      expect((await treeOf(tenant))?.size).toBe(fault === "loses the reply to a write" ? 302 : 2);
      await manyEvents(tenant, 10);
      await integrateLogs(env, Date.now());
      await expectWhole(tenant, 312);
    },
  );

  it("writes one row of tiles and one of the head, however many events it seals", async () => {
    const tenant = await Tenant.create();
    await manyEvents(tenant, 200);
    await integrateLogs(env, Date.now());
    expect(await rowsOf("audit_tiles", tenant.id)).toHaveLength(1);
    expect(await rowsOf("audit_trees", tenant.id)).toHaveLength(1);
  });
});

describe("What somebody wrote into D1 by hand", () => {
  it.each([
    ["an event of their own", "stamp = '1.' || hex(randomblob(32))"],
    ["another reason", "reason = 'forged'"],
    ["another time", "at = at - 1"],
  ])("%s is not sealed, and is told of; other logs are", async (_, change) => {
    const tenant = await Tenant.create();
    const other = await Tenant.create();
    await sql(
      `UPDATE audit_events SET ${change} WHERE tenant_id = ? AND leaf_index = 1`,
      tenant.id,
    );
    const lines = await logged(() => integrateLogs(env, Date.now()));
    expect(lines).toContainEqual({
      level: "error",
      event: "audit_event_forged",
      tenant_id: tenant.id,
    });
    // Up to there the log is sealed.
    expect((await treeOf(tenant))?.size).toBe(1);
    expect((await treeOf(other))?.size).toBe(2);
  });

  it("that is not even JSON stops no other log", async () => {
    const tenant = await Tenant.create();
    const other = await Tenant.create();
    await sql("UPDATE audit_events SET details = '{' WHERE tenant_id = ?", tenant.id);
    await integrateLogs(env, Date.now());
    expect(await treeOf(tenant)).toBeUndefined();
    expect((await treeOf(other))?.size).toBe(2);
    await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
  });

  it("leaves a gap that is told of and not sealed over", async () => {
    const tenant = await Tenant.create();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 0", tenant.id);
    const lines = await logged(() => integrateLogs(env, Date.now()));
    expect(lines.map(({ event }) => event)).toContain("audit_log_gap");
    expect(await treeOf(tenant)).toBeUndefined();
  });

  it.each([
    ["a tile", "audit_tiles", "hashes = replace(hashes, substr(hashes, 1, 4), 'AAAA')"],
    ["no tile any more", "audit_tiles", "level = 7"],
    ["a size", "audit_trees", "size = 1"],
    ["a note", "audit_trees", "note = replace(note, substr(note, 60, 3), 'AAA')"],
  ])("%s under the head stops sealing on top of it", async (_, table, change) => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    await User.provision(tenant);
    await sql(`UPDATE ${table} SET ${change} WHERE tenant_id = ?`, tenant.id);
    const lines = await logged(() => integrateLogs(env, Date.now()));
    expect(lines.map(({ event }) => event)).toContain("audit_tree_damaged");
    expect((await treeOf(tenant))?.size).toBeLessThanOrEqual(2);
  });
});

describe("Signing keys", () => {
  it("rotate: the newest signs, on top of what an older one signed, and all are published", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    const before = parseNote(String((await treeOf(tenant))?.note));
    await manyEvents(tenant, 1);
    const rotated = {
      ...env,
      AUDIT_SIGNING_KEYS: `${env.AUDIT_SIGNING_KEYS},2:${btoa("audit signing seed, the second..")}`,
    };
    await integrateLogs(rotated, Date.now());
    const after = await treeOf(tenant);
    expect(after?.size).toBe(3);
    expect(parseNote(String(after?.note))?.keyHash).not.toEqual(before?.keyHash);
  });

  it.each([
    ["a stamp", "audit_events", "stamp = '9' || substr(stamp, 2)"],
    ["a stamp that is none", "audit_events", "stamp = ''"],
  ])("that %s names and nobody has seal nothing", async (_, table, change) => {
    const tenant = await Tenant.create();
    await sql(`UPDATE ${table} SET ${change} WHERE tenant_id = ?`, tenant.id);
    const lines = await logged(() => integrateLogs(env, Date.now()));
    const told = lines.filter(({ tenant_id }) => tenant_id === tenant.id);
    expect(told.map(({ event }) => event)).toEqual([
      change.includes("9") ? "audit_key_missing" : "audit_event_forged",
    ]);
    expect(await treeOf(tenant)).toBeUndefined();
  });

  it("removed too early stop the sealing of what they signed", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    await manyEvents(tenant, 1);
    const other = { ...env, AUDIT_SIGNING_KEYS: `2:${btoa("audit signing seed, the second..")}` };
    const lines = await logged(() => integrateLogs(other, Date.now()));
    expect(lines.map(({ event }) => event)).toContain("audit_key_missing");
    expect((await treeOf(tenant))?.size).toBe(2);
  });
});

describe("A store that is slow", () => {
  it("for one log keeps no other log from being sealed", async () => {
    await integrateLogs(env, Date.now());
    const [slow, quick] = [await Tenant.create(), await Tenant.create()];
    const database = Object.getPrototypeOf(env.DB);
    const prepare = database.prepare;
    const spy = vi.spyOn(database, "prepare").mockImplementation(function (this: unknown, ...args) {
      const statement = prepare.apply(this, args);
      const bind = statement.bind.bind(statement);
      statement.bind = (...values: unknown[]) => {
        const bound = bind(...values);
        const isRead = /json_each\(\?\) AS range/.test(String(args[0]));
        if (isRead && String(values[0]).includes(slow.id)) bound.raw = () => new Promise(() => {});
        return bound;
      };
      return statement;
    });
    await integrateLogs(env, Date.now());
    spy.mockRestore();
    expect((await treeOf(quick))?.size).toBe(2);
    expect(await treeOf(slow)).toBeUndefined();
    await integrateLogs(env, Date.now());
    expect((await treeOf(slow))?.size).toBe(2);
  });

  it("as the witness is, keeps only logs waiting that it has to be asked about", async () => {
    const known = await Tenant.create();
    await integrateLogs(env, Date.now());
    await manyEvents(known, 3);
    const fresh = await Tenant.create();
    const namespace = Object.getPrototypeOf(env.AUDIT_WITNESS);
    const spy = vi.spyOn(namespace, "list").mockImplementation(() => new Promise(() => {}));
    const lines = await logged(() => integrateLogs(env, Date.now()));
    spy.mockRestore();
    expect(lines.map(({ event }) => event)).toContain("audit_seal_put_off");
    expect((await treeOf(known))?.size).toBe(5);
    expect(await treeOf(fresh)).toBeUndefined();
    await integrateLogs(env, Date.now());
    expect((await treeOf(fresh))?.size).toBe(2);
  });
});

describe("A trigger that nobody knows", () => {
  it("is told of", async () => {
    const lines = await logged(() => onSchedule(env, "*/5 * * * *", Date.now()));
    expect(lines.map(({ event }) => event)).toEqual(["unknown_cron"]);
  });
});
