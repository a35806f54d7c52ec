import { env } from "cloudflare:workers";
import { hex } from "@scure/base";
import { describe, expect, it, vi } from "vitest";
import { integrateLogs } from "../../../src/audit/tree/integrate.ts";
import { TreeHasher } from "../../../src/audit/tree/merkle.ts";
import { parseNote } from "../../../src/audit/tree/note.ts";
import { onSchedule } from "../../../src/scheduled.ts";
import { Tenant, User } from "../../support/client.ts";
import { countCalls } from "../../support/count-calls.ts";
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

async function findTree(tenant: Tenant) {
  const [tree] = await rowsOf("audit_trees", tenant.id);
  return tree;
}

/** Expects the export to be the whole log, each leaf once and in order, under the signed root. */
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

async function fileManyEvents(tenant: Tenant, count: number): Promise<void> {
  const at = Date.now();
  await fileEvents(
    tenant.id,
    Array.from({ length: count }, (_, n) => eventOf(tenant.id, at + n)),
  );
}

/** Stores the unfinished tiles as older builds did. */
async function storeEdgeAsOlderBuild({ id }: Tenant): Promise<void> {
  await sql(
    `INSERT OR REPLACE INTO audit_tiles (tenant_id, level, "index", hashes)
      SELECT tenant_id, level.key, size >> (8 * (level.key + 1)), level.value
      FROM audit_trees, json_each(unfinished_tiles) AS level WHERE tenant_id = ? AND level.value <> ''`,
    id,
  );
  await sql("UPDATE audit_trees SET unfinished_tiles = NULL WHERE tenant_id = ?", id);
}

async function captureLog(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  const lines: Record<string, unknown>[] = [];
  const spies = (["info", "error"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(JSON.parse(line))),
  );
  await work();
  for (const spy of spies) spy.mockRestore();
  return lines;
}

describe("The integration", () => {
  it("adds new events and signs a new head every half minute", async () => {
    const tenant = await Tenant.create();
    const wait = vi.spyOn(scheduler, "wait").mockImplementation(async (ms) => {
      expect(ms).toBeLessThanOrEqual(30_000);
      expect((await findTree(tenant))?.size).toBe(2);
      await User.provision(tenant);
    });
    await onSchedule(env, everyMinute, Date.now());
    wait.mockRestore();
    expect((await findTree(tenant))?.size).toBe(3);
  });

  it("neither skips nor duplicates a leaf when several runs overlap in many rounds", async () => {
    const tenant = await Tenant.create();
    for (let n = 0; n < 5; n += 1) await fileManyEvents(tenant, 1_000);
    await Promise.all([
      ...Array.from({ length: 4 }, () => integrateLogs(env, Date.now())),
      fetchCheckpoint(tenant),
      fileManyEvents(tenant, 300),
    ]);
    await integrateLogs(env, Date.now());
    await expectWhole(tenant, 5_302);
  });

  it("processes more logs than fit into one round", async () => {
    const tenants: Tenant[] = [];
    for (let n = 0; n < 90; n += 1) tenants.push(await Tenant.create());
    await integrateLogs(env, Date.now());
    for (const tenant of tenants) expect((await findTree(tenant))?.size).toBe(2);
  });

  it.each(["throws", "hangs", "fails on write", "loses the reply to a write"] as const)(
    "leaves a complete tree when D1 %s, and the next run continues",
    async (fault: D1Fault) => {
      const tenant = await Tenant.create();
      await integrateLogs(env, Date.now());
      await fileManyEvents(tenant, 300);
      await withD1Fault(fault, async () => await integrateLogs(env, Date.now()));
      expect((await findTree(tenant))?.size).toBe(fault === "loses the reply to a write" ? 302 : 2);
      await fileManyEvents(tenant, 10);
      await integrateLogs(env, Date.now());
      await expectWhole(tenant, 312);
    },
  );

  it("writes one row for any number of events, and another for each tile that becomes full", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    // With the two of its creation, the log then has 3, 203, 256 and 769 events.
    const written: [number, number][] = [];
    for (const count of [1, 200, 53, 513]) {
      await fileManyEvents(tenant, count);
      const { counts } = await countCalls(() => integrateLogs(env, Date.now()));
      written.push([counts.d1RowsWritten, (await rowsOf("audit_tiles", tenant.id)).length]);
    }
    expect(written).toEqual([
      [1, 0],
      [1, 0],
      [2, 1],
      [3, 3],
    ]);
    await expectWhole(tenant, 769);
  });

  it("continues a tree whose unfinished tiles an older build stored in rows of their own", async () => {
    const tenant = await Tenant.create();
    await fileManyEvents(tenant, 600);
    await integrateLogs(env, Date.now());
    const before = await fetchCheckpoint(tenant);
    await storeEdgeAsOlderBuild(tenant);
    expect(await fetchCheckpoint(tenant)).toEqual(before);
    await expectWhole(tenant, 602);
    await fileManyEvents(tenant, 1);
    await integrateLogs(env, Date.now());
    // The rows of the older build stay. They are behind the head, which has the tiles from now on.
    expect(await rowsOf("audit_tiles", tenant.id)).toHaveLength(4);
    await expectWhole(tenant, 603);
    await fileManyEvents(tenant, 300);
    await integrateLogs(env, Date.now());
    await expectWhole(tenant, 903);
    expect(await rowsOf("audit_tiles", tenant.id)).toHaveLength(4);
  });

  it("continues a tree that an older build extended after this one, as during a deployment", async () => {
    const tenant = await Tenant.create();
    await fileManyEvents(tenant, 298);
    await integrateLogs(env, Date.now());
    const [{ unfinished_tiles: behind } = { unfinished_tiles: null }] = await rowsOf(
      "audit_trees",
      tenant.id,
    );
    await storeEdgeAsOlderBuild(tenant);
    await fileManyEvents(tenant, 256);
    await integrateLogs(env, Date.now());
    await storeEdgeAsOlderBuild(tenant);
    // An older build does not know this column. The lowest level has as many hashes as before.
    await sql(
      "UPDATE audit_trees SET unfinished_tiles = ? WHERE tenant_id = ?",
      String(behind),
      tenant.id,
    );
    await fileManyEvents(tenant, 1);
    await integrateLogs(env, Date.now());
    await expectWhole(tenant, 557);
  });
});

describe("A manual change in D1", () => {
  it.each([
    ["a forged stamp", "stamp = '1.' || hex(randomblob(32))"],
    ["another reason", "reason = 'forged'"],
    ["another time", "at = at - 1"],
  ])("with %s is reported and not integrated, and other logs are integrated", async (_, change) => {
    const tenant = await Tenant.create();
    const other = await Tenant.create();
    await sql(
      `UPDATE audit_events SET ${change} WHERE tenant_id = ? AND leaf_index = 1`,
      tenant.id,
    );
    const lines = await captureLog(() => integrateLogs(env, Date.now()));
    expect(lines).toContainEqual({
      level: "error",
      event: "audit_event_forged",
      tenant_id: tenant.id,
    });
    // The log is integrated up to that event.
    expect((await findTree(tenant))?.size).toBe(1);
    expect((await findTree(other))?.size).toBe(2);
  });

  it("that is not JSON does not stop other logs", async () => {
    const tenant = await Tenant.create();
    const other = await Tenant.create();
    await sql("UPDATE audit_events SET details = '{' WHERE tenant_id = ?", tenant.id);
    await integrateLogs(env, Date.now());
    expect(await findTree(tenant)).toBeUndefined();
    expect((await findTree(other))?.size).toBe(2);
    await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
  });

  it("that leaves a gap is reported and stops the integration", async () => {
    const tenant = await Tenant.create();
    await sql("DELETE FROM audit_events WHERE tenant_id = ? AND leaf_index = 0", tenant.id);
    const lines = await captureLog(() => integrateLogs(env, Date.now()));
    expect(lines.map(({ event }) => event)).toContain("audit_log_gap");
    expect(await findTree(tenant)).toBeUndefined();
  });

  it.each([
    [
      "a hash",
      "unfinished_tiles = replace(unfinished_tiles, substr(unfinished_tiles, 3, 4), 'AAAA')",
    ],
    ["the number of hashes", "unfinished_tiles = json_insert(unfinished_tiles, '$[#]', '')"],
    ["the size", "size = 1"],
    ["the note", "note = replace(note, substr(note, 60, 3), 'AAA')"],
  ])("of %s stops the integration of further events", async (_, change) => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    await User.provision(tenant);
    await sql(`UPDATE audit_trees SET ${change} WHERE tenant_id = ?`, tenant.id);
    const lines = await captureLog(() => integrateLogs(env, Date.now()));
    expect(lines.map(({ event }) => event)).toContain("audit_tree_damaged");
    expect((await findTree(tenant))?.size).toBeLessThanOrEqual(2);
  });
});

describe("Signing keys", () => {
  it("rotate: the newest key signs the next head of a tree that an older key signed", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    const before = parseNote(String((await findTree(tenant))?.note));
    await fileManyEvents(tenant, 1);
    const rotated = {
      ...env,
      AUDIT_SIGNING_KEYS: `${env.AUDIT_SIGNING_KEYS},2:${btoa("audit signing seed, the second..")}`,
    };
    await integrateLogs(rotated, Date.now());
    const after = await findTree(tenant);
    expect(after?.size).toBe(3);
    expect(parseNote(String(after?.note))?.keyHash).not.toEqual(before?.keyHash);
  });

  it.each([
    ["a stamp names a missing key", "audit_events", "stamp = '9' || substr(stamp, 2)"],
    ["a stamp is empty", "audit_events", "stamp = ''"],
  ])("stop the integration when %s", async (_, table, change) => {
    const tenant = await Tenant.create();
    await sql(`UPDATE ${table} SET ${change} WHERE tenant_id = ?`, tenant.id);
    const lines = await captureLog(() => integrateLogs(env, Date.now()));
    const own = lines.filter(({ tenant_id }) => tenant_id === tenant.id);
    expect(own.map(({ event }) => event)).toEqual([
      change.includes("9") ? "audit_key_missing" : "audit_event_forged",
    ]);
    expect(await findTree(tenant)).toBeUndefined();
  });

  it("that are removed too early stop the integration of logs that they signed", async () => {
    const tenant = await Tenant.create();
    await integrateLogs(env, Date.now());
    await fileManyEvents(tenant, 1);
    const other = { ...env, AUDIT_SIGNING_KEYS: `2:${btoa("audit signing seed, the second..")}` };
    const lines = await captureLog(() => integrateLogs(other, Date.now()));
    expect(lines.map(({ event }) => event)).toContain("audit_key_missing");
    expect((await findTree(tenant))?.size).toBe(2);
  });
});

describe("A slow store", () => {
  it("for one log does not delay the integration of other logs", async () => {
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
    expect((await findTree(quick))?.size).toBe(2);
    expect(await findTree(slow)).toBeUndefined();
    await integrateLogs(env, Date.now());
    expect((await findTree(slow))?.size).toBe(2);
  });

  it("that is the witness delays only the logs that need it", async () => {
    const known = await Tenant.create();
    await integrateLogs(env, Date.now());
    await fileManyEvents(known, 3);
    const fresh = await Tenant.create();
    const namespace = Object.getPrototypeOf(env.AUDIT_WITNESS);
    const spy = vi.spyOn(namespace, "list").mockImplementation(() => new Promise(() => {}));
    const lines = await captureLog(() => integrateLogs(env, Date.now()));
    spy.mockRestore();
    expect(lines.map(({ event }) => event)).toContain("audit_seal_put_off");
    expect((await findTree(known))?.size).toBe(5);
    expect(await findTree(fresh)).toBeUndefined();
    await integrateLogs(env, Date.now());
    expect((await findTree(fresh))?.size).toBe(2);
  });
});

describe("An unknown cron trigger", () => {
  it("is logged", async () => {
    const lines = await captureLog(() => onSchedule(env, "*/5 * * * *", Date.now()));
    expect(lines.map(({ event }) => event)).toEqual(["unknown_cron"]);
  });
});
