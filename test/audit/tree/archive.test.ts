import { env } from "cloudflare:workers";
import { hex } from "@scure/base";
import { describe, expect, it, vi } from "vitest";
import { archiveLogs } from "../../../src/audit/tree/archive.ts";
import { verifyInclusion } from "../../../src/audit/tree/verify-proof.ts";
import { findRetentionDays } from "../../../src/tenancy/find-retention.ts";
import { Tenant, User } from "../../support/client.ts";
import { withD1Fault } from "../../support/d1-faults.ts";
import { drainOutbox } from "../../support/delivered-trail.ts";
import {
  eventOf,
  fetchCheckpoint,
  fetchExport,
  fileEvents,
  rowsOf,
  sql,
} from "../../support/trail.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** Creates a tenant with `count` events of `daysAgo` days ago, after the two events of its creation. */
async function createTenantWithEvents(daysAgo: number, count: number): Promise<Tenant> {
  const tenant = await Tenant.create();
  const at = Date.now() - daysAgo * dayMs;
  await fileEvents(
    tenant.id,
    Array.from({ length: count }, (_, n) => eventOf(tenant.id, at + n)),
  );
  return tenant;
}

async function listObjects(tenant: Tenant): Promise<string[]> {
  const listed = await env.AUDIT_ARCHIVE?.list({ prefix: `events/${tenant.id}/` });
  return listed?.objects.map(({ key }) => key) ?? [];
}

/** A time at which all events of now are past their retention. */
const computeTimeAfterRetention = () => Date.now() + 401 * dayMs;

describe("Retention", () => {
  it("moves integrated events to the archive when they are past the tenant's retention", async () => {
    const tenant = await createTenantWithEvents(0, 20);
    const before = await fetchExport(tenant);
    await archiveLogs(env, Date.now() + 399 * dayMs, findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(22);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    expect(await listObjects(tenant)).toHaveLength(1);
    // The export reads the archive as it read D1, and later events continue the log.
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
    await tenant.setSettings({ retention: { archive_after_days: 30 } });
    await fetchCheckpoint(tenant);
    await archiveLogs(env, Date.now() + 29 * dayMs, findRetentionDays);
    expect(await listObjects(tenant)).toEqual([]);
    await archiveLogs(env, Date.now() + 31 * dayMs, findRetentionDays);
    expect(await listObjects(tenant)).toHaveLength(1);
    for (const days of [0, -1, 3_651, 1.5, "30"]) {
      const settings = { retention: { archive_after_days: days } };
      expect((await tenant.send("PATCH", "/v1/settings", { settings })).status).toBe(400);
    }
  });

  it.each([
    ["2199", "2199-12-31T23:59:59Z"],
    ["2000", "2000-01-01T00:00:00Z"],
  ])("counts from the arrival of an event, although a test clock was in %s", async (_, clock) => {
    const tenant = await Tenant.create("test");
    await tenant.setSettings({ retention: { archive_after_days: 30 } });
    tenant.clock = clock;
    const user = await User.withTotp(tenant);
    await user.assess();
    tenant.clock = undefined;
    await drainOutbox(user);
    await fileEvents(tenant.id, [eventOf(tenant.id, Date.now())]);
    await fetchCheckpoint(tenant);
    const count = (await rowsOf("audit_events", tenant.id)).length;
    await archiveLogs(env, Date.now() + 29 * dayMs, findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(count);
    await archiveLogs(env, Date.now() + 31 * dayMs, findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    expect(await fetchExport(tenant)).toHaveLength(count);
  });

  it("moves events of an older build, which stored no time of arrival", async () => {
    const tenant = await createTenantWithEvents(0, 3);
    const far = Date.UTC(9999, 11, 31);
    await fileEvents(tenant.id, [eventOf(tenant.id, far), eventOf(tenant.id, Date.now())]);
    await fetchCheckpoint(tenant);
    await sql("UPDATE audit_events SET arrived_at = NULL WHERE tenant_id = ?", tenant.id);
    await archiveLogs(env, Date.now() + 399 * dayMs, findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(7);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
  });

  it("never moves events that are not integrated yet", async () => {
    const tenant = await createTenantWithEvents(0, 5);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(7);
    expect(await listObjects(tenant)).toEqual([]);
  });

  it("leaves all events in D1 if there is no archive", async () => {
    const tenant = await createTenantWithEvents(0, 5);
    await fetchCheckpoint(tenant);
    const { AUDIT_ARCHIVE: _, ...without } = env;
    await archiveLogs(without, computeTimeAfterRetention(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(7);
    expect(await fetchExport(tenant)).toHaveLength(7);
  });

  it("moves many events into several objects, and the export reads across them", async () => {
    const tenant = await createTenantWithEvents(0, 2_500);
    await fileEvents(
      tenant.id,
      Array.from({ length: 2_500 }, (_, n) => eventOf(tenant.id, Date.now() + n)),
    );
    await fetchCheckpoint(tenant);
    const before = await fetchExport(tenant);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(await listObjects(tenant)).toHaveLength(3);
    expect(await fetchExport(tenant)).toEqual(before);
    expect(await fetchExport(tenant, "?from=1999&to=4001")).toEqual(before.slice(1_999, 4_001));
  });

  it.each(["throws", "loses the reply", "fails on write"] as const)(
    "loses and duplicates nothing when D1 %s",
    async (fault) => {
      const tenant = await createTenantWithEvents(0, 30);
      await fetchCheckpoint(tenant);
      const before = await fetchExport(tenant);
      await withD1Fault(
        fault,
        async () => await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays),
      );
      expect(await fetchExport(tenant)).toEqual(before);
      await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
      expect(await fetchExport(tenant)).toEqual(before);
    },
  );

  it("writes the same object again after it was killed between writing and removing", async () => {
    const tenant = await createTenantWithEvents(0, 30);
    await fetchCheckpoint(tenant);
    const before = await fetchExport(tenant);
    const database = Object.getPrototypeOf(env.DB);
    const killed = vi.spyOn(database, "batch").mockRejectedValue(new Error("killed"));
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    killed.mockRestore();
    expect(await listObjects(tenant)).toHaveLength(1);
    expect(await rowsOf("audit_events", tenant.id)).toHaveLength(32);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(await listObjects(tenant)).toHaveLength(1);
    expect(await fetchExport(tenant)).toEqual(before);
  });

  it("leaves no gap in an export that runs at the same time", async () => {
    const tenant = await createTenantWithEvents(0, 30);
    await fetchCheckpoint(tenant);
    const before = await fetchExport(tenant);
    const database = Object.getPrototypeOf(env.DB);
    const { prepare } = database;
    let isMoved = false;
    const spy = vi.spyOn(database, "prepare").mockImplementation(function (this: unknown, ...args) {
      const statement = prepare.apply(this, args);
      if (!String(args[0]).includes("PRECEDING")) return statement;
      const bind = statement.bind.bind(statement);
      statement.bind = (...values: unknown[]) => {
        const bound = bind(...values);
        const raw = bound.raw.bind(bound);
        // All events move just before the log is read.
        bound.raw = async () => {
          if (!isMoved) {
            isMoved = true;
            await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
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

  it("continues with the other logs when it fails for one", async () => {
    const [one, two] = [await createTenantWithEvents(0, 3), await createTenantWithEvents(0, 3)];
    await Promise.all([fetchCheckpoint(one), fetchCheckpoint(two)]);
    const bucket = Object.getPrototypeOf(env.AUDIT_ARCHIVE);
    const { put } = bucket;
    const spy = vi.spyOn(bucket, "put").mockImplementation(function (this: unknown, ...args) {
      if (String(args[0]).includes(one.id)) return Promise.reject(new Error("no"));
      return put.apply(this, args);
    });
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    spy.mockRestore();
    expect(await rowsOf("audit_events", one.id)).toHaveLength(5);
    expect(await rowsOf("audit_events", two.id)).toEqual([]);
  });

  it.each([
    ["the first event of an object, altered", 0, "reason = 'forged'"],
    ["another event of an object, altered", 1, "reason = 'forged'"],
    ["another event, with unreadable personal parts", 2, "personal = '1.x'"],
  ])("does not replace an archived event: %s", async (_, leafIndex, change) => {
    const tenant = await Tenant.create();
    await User.provision(tenant, "someone@example.com");
    await fetchCheckpoint(tenant);
    const copies = await rowsOf("audit_events", tenant.id);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    await fileEvents(
      tenant.id,
      Array.from({ length: 30 }, () => eventOf(tenant.id, Date.now())),
    );
    await fetchCheckpoint(tenant);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    const before = await fetchExport(tenant);
    const names = await listObjects(tenant);
    expect(before).toHaveLength(33);
    // This puts a copy of the row, with its stamp, back where it was.
    const row = copies[leafIndex] ?? {};
    await sql(
      `INSERT INTO audit_events (${Object.keys(row).join(", ")}) SELECT ${Object.keys(row)
        .map((name) => `item.value ->> '${name}'`)
        .join(", ")} FROM json_each(?) AS item`,
      JSON.stringify([row]),
    );
    await sql(`UPDATE audit_events SET ${change} WHERE tenant_id = ?`, tenant.id);
    const errors = vi.spyOn(console, "error").mockImplementation(() => {});
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(errors.mock.calls.join("\n")).toContain("audit_archive_failed");
    errors.mockRestore();
    expect(await listObjects(tenant)).toEqual(names);
    await sql("DELETE FROM audit_events WHERE tenant_id = ?", tenant.id);
    expect(await fetchExport(tenant)).toEqual(before);
  });

  it("leaves the tree complete, so that it proves an archived event by its leaf index", async () => {
    const tenant = await createTenantWithEvents(0, 30);
    const before = await fetchExport(tenant);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
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

  it("archives personal parts sealed, so that an erasure reaches them in the archive", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "someone@example.com");
    const before = await fetchCheckpoint(tenant);
    await archiveLogs(env, computeTimeAfterRetention(), findRetentionDays);
    expect(await rowsOf("audit_events", tenant.id)).toEqual([]);
    for (const key of await listObjects(tenant)) {
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
