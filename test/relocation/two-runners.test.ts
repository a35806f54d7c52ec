/**
 * Two requests run the steps of one relocation at once, and D1 applies some statements late: after the request that
 * sent them has failed, and others have gone on.
 */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { withLateStatements } from "../support/late-statements.ts";
import {
  deleteBehindFence,
  passMinuteAfterSwitch,
  readFences,
  readTenantData,
  relocate,
  relocateFully,
  relocateUpTo,
} from "../support/relocation.ts";
import { problemsOf, saveCheckpoint, saveTrail } from "../support/saved-trail.ts";

/** Enough for all trials of the full campaign. */
const timeoutMs = 600_000;
const trials = inject("isFull") ? 150 : 2;
const maxRequests = 25;

let lines: string[];

beforeEach(() => {
  lines = [];
  vi.spyOn(console, "error").mockImplementation((line) => void lines.push(String(line)));
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function createPopulated() {
  const tenant = await Tenant.create();
  const user = await User.withTotp(tenant);
  await user.assess();
  await drainOutbox(user);
  const older = await saveCheckpoint(tenant);
  return { tenant, user, older, before: await readTenantData(0, tenant) };
}

/** Lets the next batch of that database with a text wait. @returns a function that sends it */
function holdBatch(database: D1Database | undefined, text: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const on = Object.getPrototypeOf(env.DB);
  const real: D1Database["batch"] = on.batch;
  let isHeld = false;
  vi.spyOn(on, "batch").mockImplementation(async function (this: unknown, ...args) {
    if (this === database && !isHeld && JSON.stringify(args).includes(text)) {
      isHeld = true;
      await promise;
    }
    return await Reflect.apply(real, this, args);
  });
  return resolve;
}

describe("A statement of a relocation that arrives late", () => {
  it("deletes nothing if it belongs to the clearing and the other request has compared the rows", async () => {
    const { tenant, older, before } = await createPopulated();
    await relocateUpTo(tenant, 1, "clearing");
    const release = holdBatch(env.DB_1, "delete");
    const stalled = relocate(tenant, 1, 1);
    await relocateUpTo(tenant, 1, "switching");
    release();
    await stalled;
    expect(await readTenantData(1, tenant)).toEqual(before);
    await relocateFully(tenant, 1);
    const after = await readTenantData(1, tenant);
    expect(after.identities).toEqual(before.identities);
    expect(await problemsOf(await saveTrail(tenant, { older }))).toEqual([]);
  });

  it("writes nothing if it belongs to a copy that was begun again", async () => {
    const { tenant, before } = await createPopulated();
    await relocateUpTo(tenant, 1, "copying");
    const release = holdBatch(env.DB_1, "identities");
    const stalled = relocate(tenant, 1, 1);
    await relocateUpTo(tenant, 1, "comparing");
    await deleteBehindFence(tenant, "identities", "true");
    // The comparison finds the difference, and a new attempt begins.
    await relocateUpTo(tenant, 1, "clearing");
    release();
    await stalled;
    expect(await readTenantData(1, tenant)).not.toHaveProperty("identities");
    await relocateFully(tenant, 1);
    expect((await readTenantData(1, tenant)).identities).toEqual(before.identities);
  });

  it("loses nothing, whatever it is and whenever it arrives", { timeout: timeoutMs }, async () => {
    const delay = fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      fc.integer({ min: 1, max: 60 }),
    );
    const delays = fc.array(delay, { minLength: 41, maxLength: 41 });
    const run = async (tenant: Tenant, shard: number, requests: number) => {
      for (let n = 0; n < requests; n += 1) {
        const { status, body } = await relocate(tenant, shard, 14);
        if (status === 200 && ["cleaning", "done"].includes(body.relocation.phase)) return;
      }
    };
    const property = fc.asyncProperty(delays, fc.boolean(), async (all, turnsBack) => {
      const { tenant, before } = await createPopulated();
      await withLateStatements(all, async () => {
        await Promise.all([run(tenant, 1, maxRequests), run(tenant, 1, maxRequests)]);
        if (!turnsBack) return;
        // This statement may be late too: the rows of the old database are then deleted later.
        await passMinuteAfterSwitch(tenant).catch(() => {});
        await Promise.all([run(tenant, 0, maxRequests), run(tenant, 1, maxRequests)]);
      });
      const [move] = await rowsIn(0, "relocations", tenant.id);
      const to = move?.to_shard === 0 ? 0 : 1;
      await relocateFully(tenant, to);
      const { audit_events: events = [], ...rest } = await readTenantData(to, tenant);
      const { audit_events: earlier = [], ...others } = before;
      expect(rest).toEqual(others);
      expect(events.slice(0, earlier.length)).toEqual(earlier);
      expect(await readTenantData(to === 0 ? 1 : 0, tenant)).toEqual({});
    });
    await fc.assert(property, { numRuns: trials, endOnFailure: true });
  });
});

describe("The new database", () => {
  it("stays closed if rows are missing after the switch, and the tenant returns with all of them", async () => {
    const { tenant, user, before } = await createPopulated();
    const eventsBefore = await readTrail(tenant);
    await relocateUpTo(tenant, 1, "opening");
    await deleteBehindFence(tenant, "audit_events", "leaf_index = 1");
    const { body } = await relocate(tenant, 1, 1);
    expect(body.relocation).toMatchObject({ from: 1, to: 0, phase: "returning" });
    expect(lines.join()).toContain("relocation_incomplete");
    await relocateFully(tenant, 0);
    expect((await readTenantData(0, tenant)).identities).toEqual(before.identities);
    expect(await readTenantData(1, tenant)).toEqual({});
    expect(await readFences(tenant)).toEqual(["here", "left", null]);
    expect(await readTrail(tenant)).toEqual([
      ...eventsBefore,
      "tenant.relocated success",
      "tenant.relocated success",
    ]);
    expect((await user.configure()).status).toBe(200);
    await relocateFully(tenant, 1);
    expect((await readTenantData(1, tenant)).audit_trees).toHaveLength(1);
  });

  it("lets no statement delete a row while rows are copied and compared", async () => {
    const { tenant } = await createPopulated();
    await relocateUpTo(tenant, 1, "comparing");
    for (const database of databases().slice(0, 2)) {
      const deletion = database.prepare("DELETE FROM identities WHERE tenant_id = ?");
      await expect(deletion.bind(tenant.id).run()).rejects.toThrow("tenant_fenced");
    }
  });
});
