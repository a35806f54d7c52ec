/** An isolate caches a tenant's shard for 25 s. These tests use a stale entry. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheShard } from "../../src/db/shards.ts";
import { send, Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { drainOutbox, readTrail } from "../support/delivered-trail.ts";
import { guardOf, loseStorage } from "../support/guard.ts";
import { fireLogAlarm } from "../support/refusal-log.ts";
import {
  readTenantData,
  relocate,
  relocateFully,
  relocateUpTo,
  tenantTables,
} from "../support/relocation.ts";
import { problemsOf, saveTrail } from "../support/saved-trail.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

let tenant: Tenant;
let user: User;
let eventsBefore: string[];

/** Caches the old shard, as in an isolate that read it just before the switch. */
function cacheOldShard(): void {
  cacheShard(env, tenant.id, 0, Date.now());
}

/** Relocates the tenant. The old database still has its rows. */
beforeEach(async () => {
  tenant = await Tenant.create();
  user = await User.withTotp(tenant);
  await drainOutbox(user);
  const { phase } = (await relocate(tenant, 1)).body.relocation;
  expect(phase).toBe("cleaning");
  eventsBefore = await readTrail(tenant);
});

async function expectEventsOnce(...events: readonly string[]): Promise<void> {
  expect(await readTrail(tenant)).toEqual([...eventsBefore, ...events]);
}

describe("An isolate with a stale shard", () => {
  it("delivers a guard's events to the new database", async () => {
    const old = await readTenantData(0, tenant);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    cacheOldShard();
    await guardOf(user).deliver();
    await expectEventsOnce("otp.verified success");
    expect(await readTenantData(0, tenant)).toEqual(old);
  });

  it("delivers refused requests to the new database", async () => {
    const token = await tenant.tokenWith(["idp:read"]);
    await tenant.send("POST", "/v1/idp/users", { user: { external_id: "x" } }, token);
    cacheOldShard();
    await fireLogAlarm(tenant.id);
    await vi.waitFor(() =>
      expectEventsOnce("token.created success", "request.refused refused insufficient_scope"),
    );
  });

  it("files events of the control plane in the new database", async () => {
    cacheOldShard();
    await tenant.setSettings({ lockout: { lock_seconds: 61 } });
    cacheOldShard();
    await tenant.tokenWith(["idp:read"]);
    await expectEventsOnce("settings.changed success", "token.created success");
    expect(await rowsIn(0, "control_outbox", tenant.id)).toEqual([]);
  });

  it("rehydrates an empty guard from the new database", async () => {
    const code = user.code(Date.now());
    await user.verify(code);
    await drainOutbox(user);
    await loseStorage(user);
    cacheOldShard();
    expect((await user.verify(code)).body.code).toBe("code_already_used");
  });

  it("reads the verdict of a session from the new database", async () => {
    const { assessment_id } = await user.assess();
    await user.sendFeedback(assessment_id, "fraud");
    await drainOutbox(user);
    await loseStorage(user);
    cacheOldShard();
    expect((await user.sendFeedback(assessment_id, "legitimate")).status).toBe(204);
  });

  it("integrates and proves the events of the new database", async () => {
    await user.verify(user.code(Date.now()));
    await drainOutbox(user);
    cacheOldShard();
    const saved = await saveTrail(tenant);
    expect(await problemsOf(saved)).toEqual([]);
  });

  it("may list only old events until its cache expires", async () => {
    await user.verify(user.code(Date.now()));
    await drainOutbox(user);
    cacheOldShard();
    const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    expect(body.events.length).toBeLessThanOrEqual(eventsBefore.length);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 26_000 });
    await expectEventsOnce("otp.verified success");
    vi.useRealTimers();
  });

  it("reads the other database while the tenant returns and its copy is incomplete", async () => {
    await relocateFully(tenant, 1);
    await relocateUpTo(tenant, 0, "copying");
    await loseStorage(user);
    cacheOldShard();
    expect((await user.profile()).has_otp).toBe(true);
  });
});

describe("A database that a tenant has left", () => {
  it.each(tenantTables)(
    "refuses inserts into %s and updates of it for that tenant",
    async (table) => {
      const [old] = databases();
      const columns = await old.prepare(`SELECT name FROM pragma_table_info('${table}')`).all<{
        name: string;
      }>();
      const names = columns.results.map(({ name }) => name);
      const values = names.map((name) => (name === "tenant_id" ? `'${tenant.id}'` : "7"));
      const write = `INSERT INTO ${table} ("${names.join('", "')}") VALUES (${values.join(", ")})`;
      await expect(old.prepare(write).run()).rejects.toThrow("tenant_fenced");
      await old
        .prepare("UPDATE tenant_fences SET state = 'here' WHERE tenant_id = ?")
        .bind(tenant.id)
        .run();
      await old.prepare(write).run();
      await old
        .prepare("UPDATE tenant_fences SET state = 'left' WHERE tenant_id = ?")
        .bind(tenant.id)
        .run();
      const change = `UPDATE ${table} SET "${names.at(-1)}" = 8 WHERE tenant_id = ?`;
      await expect(old.prepare(change).bind(tenant.id).run()).rejects.toThrow("tenant_fenced");
    },
  );

  it("still serves other tenants", async () => {
    const other = await Tenant.create();
    expect((await User.withTotp(other)).secret).not.toBe("");
    expect(Object.keys(await readTenantData(0, other))).toContain("identities");
    const list = await send("GET", "/v1/idp/users", { token: other.token });
    expect(list.body.users).toHaveLength(1);
  });
});
