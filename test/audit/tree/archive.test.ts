import { env } from "cloudflare:workers";
import { hex } from "@scure/base";
import { describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../../src/audit/tree/archive.ts";
import { verifyInclusion } from "../../../src/audit/tree/verify-proof.ts";
import { findRetentionDays } from "../../../src/tenancy/find-retention.ts";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import {
  eventOf,
  fetchCheckpoint,
  fetchExport,
  fileEvents,
  rowsOf,
  sql,
} from "../../support/trail.ts";

const day = 24 * 60 * 60 * 1000;

/** A tenant with events of that many days ago in its log, after the two of its creation. */
async function tenantWithEventsOf(daysAgo: number, count: number): Promise<Tenant> {
  const tenant = await Tenant.create();
  const at = Date.now() - daysAgo * day;
  await fileEvents(
    tenant.id,
    Array.from({ length: count }, (_, n) => eventOf(tenant.id, at + n)),
  );
  return tenant;
}

async function objectsOf(tenant: Tenant): Promise<string[]> {
  const listed = await env.AUDIT_ARCHIVE?.list({ prefix: `events/${tenant.id}/` });
  return listed?.objects.map(({ key }) => key) ?? [];
}

/** All that the tenant has of now is old by then. */
const muchLater = () => Date.now() + 401 * day;

describe("Retention", () => {
  it("moves sealed events to the archive when they are older than the tenant keeps them", async () => {
    const tenant = await tenantWithEventsOf(0, 20);
    const before = await fetchExport(tenant);
    await archiveLogs(env, Date.now() + 399 * day, findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(22);
    await archiveLogs(env, muchLater(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    expect(await objectsOf(tenant)).toHaveLength(1);
    // The export reads the archive as it read D1, and what comes after goes on from there.
    expect(await fetchExport(tenant)).toEqual(before);
    await User.provision(tenant);
    const { tree_size } = await fetchCheckpoint(tenant);
    expect(tree_size).toBe(23);
    const after = await fetchExport(tenant);
    expect(after.slice(0, 22)).toEqual(before);
    expect(after.map(({ leaf_index }) => leaf_index)).toEqual(
      Array.from({ length: 23 }, (_, n) => n),
    );
    expect(await fetchExport(tenant, "?from=20")).toEqual(after.slice(20));
  });

  it("follows the tenant's setting", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ audit: { retention_days: 30 } });
    await fetchCheckpoint(tenant);
    await archiveLogs(env, Date.now() + 29 * day, findRetentionDays);
    expect(await objectsOf(tenant)).toEqual([]);
    await archiveLogs(env, Date.now() + 31 * day, findRetentionDays);
    expect(await objectsOf(tenant)).toHaveLength(1);
    for (const days of [0, -1, 3_651, 1.5, "30"]) {
      const settings = { audit: { retention_days: days } };
      expect((await tenant.send("PATCH", "/v1/settings", { settings })).status).toBe(400);
    }
  });

  it("never moves what is not sealed", async () => {
    const tenant = await tenantWithEventsOf(0, 5);
    await archiveLogs(env, muchLater(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(7);
    expect(await objectsOf(tenant)).toEqual([]);
  });

  it("leaves all events in D1 where there is no archive", async () => {
    const tenant = await tenantWithEventsOf(0, 5);
    await fetchCheckpoint(tenant);
    const { AUDIT_ARCHIVE: _, ...without } = env;
    await archiveLogs(without, muchLater(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(7);
    expect(await fetchExport(tenant)).toHaveLength(7);
  });

  it("moves a long past in several objects, and reads across them", async () => {
    const tenant = await tenantWithEventsOf(0, 2_500);
    await fileEvents(
      tenant.id,
      Array.from({ length: 2_500 }, (_, n) => eventOf(tenant.id, Date.now() + n)),
    );
    await fetchCheckpoint(tenant);
    const before = await fetchExport(tenant);
    await archiveLogs(env, muchLater(), findRetentionDays);
    expect(await objectsOf(tenant)).toHaveLength(3);
    expect(await fetchExport(tenant)).toEqual(before);
    expect(await fetchExport(tenant, "?from=1999&to=4001")).toEqual(before.slice(1_999, 4_001));
  });

  it.each(["throws", "loses the reply", "fails on write"] as const)(
    "cut short by a D1 that %s loses nothing and doubles nothing",
    async (fault) => {
      const tenant = await tenantWithEventsOf(0, 30);
      await fetchCheckpoint(tenant);
      const before = await fetchExport(tenant);
      await withD1Fault(fault, async () => await archiveLogs(env, muchLater(), findRetentionDays));
      expect(await fetchExport(tenant)).toEqual(before);
      await archiveLogs(env, muchLater(), findRetentionDays);
      expect(await fetchExport(tenant)).toEqual(before);
    },
  );

  it("killed between writing and removing writes the same again", async () => {
    const tenant = await tenantWithEventsOf(0, 30);
    await fetchCheckpoint(tenant);
    const before = await fetchExport(tenant);
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1"));
    const killed = vi.spyOn(statement, "run").mockRejectedValue(new Error("killed"));
    await archiveLogs(env, muchLater(), findRetentionDays);
    killed.mockRestore();
    expect(await objectsOf(tenant)).toHaveLength(1);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(32);
    await archiveLogs(env, muchLater(), findRetentionDays);
    expect(await objectsOf(tenant)).toHaveLength(1);
    expect(await fetchExport(tenant)).toEqual(before);
  });

  it("beside an export makes no hole in it", async () => {
    const tenant = await tenantWithEventsOf(0, 30);
    await fetchCheckpoint(tenant);
    const before = await fetchExport(tenant);
    const database = Object.getPrototypeOf(env.DB);
    const { prepare } = database;
    let isMoved = false;
    const spy = vi.spyOn(database, "prepare").mockImplementation(function (this: unknown, ...args) {
      const statement = prepare.apply(this, args);
      if (!/"leaf_index" >= .* asc limit/.test(String(args[0]))) {
        return statement;
      }
      const bind = statement.bind.bind(statement);
      statement.bind = (...values: unknown[]) => {
        const bound = bind(...values);
        const raw = bound.raw.bind(bound);
        // Everything moves in the instant before the log is read.
        bound.raw = async () => {
          if (!isMoved) {
            isMoved = true;
            await archiveLogs(env, muchLater(), findRetentionDays);
          }
          return await raw();
        };
        return bound;
      };
      return statement;
    });
    const during = await fetchExport(tenant);
    spy.mockRestore();
    expect(isMoved).toBe(true);
    expect(during).toEqual(before);
    expect(await fetchExport(tenant)).toEqual(before);
  });

  it("that fails for one log goes on with the others", async () => {
    const [one, two] = [await tenantWithEventsOf(0, 3), await tenantWithEventsOf(0, 3)];
    await Promise.all([fetchCheckpoint(one), fetchCheckpoint(two)]);
    const bucket = Object.getPrototypeOf(env.AUDIT_ARCHIVE);
    const { put } = bucket;
    const spy = vi.spyOn(bucket, "put").mockImplementation(function (this: unknown, ...args) {
      if (String(args[0]).includes(one.id)) return Promise.reject(new Error("no"));
      return put.apply(this, args);
    });
    await archiveLogs(env, muchLater(), findRetentionDays);
    spy.mockRestore();
    expect(await rowsOf("audit_events", one.id)).toHaveLength(5);
    expect(await rowsOf("audit_events", two.id)).toEqual([]);
  });

  it.each([
    ["the first of an object, altered", 0, "reason = 'forged'"],
    ["another of an object, altered", 1, "reason = 'forged'"],
    ["another, its personal parts made unreadable", 2, "personal = '1.x'"],
  ])("lets nobody replace what is archived: %s", async (_, leafIndex, change) => {
    const tenant = await Tenant.create();
    await User.provision(tenant, "someone@example.com");
    await fetchCheckpoint(tenant);
    const copies = await rowsOf("audit_events", tenant.id);
    await archiveLogs(env, muchLater(), findRetentionDays);
    await fileEvents(
      tenant.id,
      Array.from({ length: 30 }, () => eventOf(tenant.id, Date.now())),
    );
    await fetchCheckpoint(tenant);
    await archiveLogs(env, muchLater(), findRetentionDays);
    const before = await fetchExport(tenant);
    const names = await objectsOf(tenant);
    expect(before).toHaveLength(33);
    // A copy of the row, stamp and all, put back where it was.
    const row = copies[leafIndex] ?? {};
    await sql(
      `INSERT INTO audit_events (${Object.keys(row).join(", ")}) SELECT ${Object.keys(row)
        .map((name) => `item.value ->> '${name}'`)
        .join(", ")} FROM json_each(?) AS item`,
      JSON.stringify([row]),
    );
    await sql(`UPDATE audit_events SET ${change} WHERE tenant_id = ?`, tenant.id);
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    await archiveLogs(env, muchLater(), findRetentionDays);
    expect(errors.mock.calls.join("\n")).toContain("audit_archive_failed");
    errors.mockRestore();
    expect(await objectsOf(tenant)).toEqual(names);
    await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
    expect(await fetchExport(tenant)).toEqual(before);
  });

  it("leaves the tree whole: it proves an archived event, found by its place", async () => {
    const tenant = await tenantWithEventsOf(0, 30);
    const before = await fetchExport(tenant);
    await archiveLogs(env, muchLater(), findRetentionDays);
    const { id, leaf_index, leaf_hash } = before[7];
    const path = `/v1/audit/events/${id}/proof`;
    expect((await tenant.send("GET", path)).status).toBe(404);
    expect((await tenant.send("GET", `${path}?leaf_index=8`)).status).toBe(404);
    const { body } = await tenant.send("GET", `${path}?leaf_index=${leaf_index}`);
    expect(body.proof.leaf_hash).toBe(leaf_hash);
    const isProven = verifyInclusion({
      leaf: hex.decode(leaf_hash),
      index: leaf_index,
      size: body.proof.tree_size,
      proof: body.proof.hashes.map(hex.decode),
      root: hex.decode(body.checkpoint.root_hash),
    });
    expect(isProven).toBe(true);
  });

  it("takes personal parts along sealed, so that an erasure reaches them in the archive", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "someone@example.com");
    const before = await fetchCheckpoint(tenant);
    await archiveLogs(env, muchLater(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    for (const key of await objectsOf(tenant)) {
      const text = await (await env.AUDIT_ARCHIVE?.get(key))?.text();
      expect(text).not.toContain("someone@example.com");
    }
    expect(JSON.stringify(await fetchExport(tenant))).toContain("someone@example.com");
    await tenant.send("DELETE", user.path());
    const lines = await fetchExport(tenant);
    expect(JSON.stringify(lines)).not.toContain("someone@example.com");
    expect(lines.slice(0, before.tree_size)).toMatchObject([
      { erased: false },
      { erased: false },
      { erased: true, personal: null },
      { erased: true, personal: null },
    ]);
  });
});
