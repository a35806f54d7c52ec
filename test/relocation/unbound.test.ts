/**
 * Databases that are not bound, or do not answer: nothing counts as absent, and one relocation does not stop
 * others.
 */
import {
  createExecutionContext,
  createMessageBatch,
  createScheduledController,
  getQueueResult,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { requireConfig } from "../../src/env.ts";
import { IdentityGuard } from "../../src/guard/identity-guard.ts";
import worker from "../../src/index.ts";
import { finishRelocations } from "../../src/relocation/relocate.ts";
import { fetchAnswer, Tenant, User } from "../support/client.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { hangForever, withQuickDeadlines } from "../support/deadlines.ts";
import { drainOutbox } from "../support/delivered-trail.ts";
import { guardOf } from "../support/guard.ts";
import {
  passMinuteAfterSwitch,
  readFences,
  readTenantData,
  relocate,
  relocateFully,
  relocateUpTo,
} from "../support/relocation.ts";

const hourMs = 60 * 60 * 1000;
const minuteMs = 60_000;

let lines: string[];

beforeEach(() => {
  lines = [];
  for (const level of ["info", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)));
  }
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** A deployment without that database. */
function envWithout(name: "DB_1" | "DB_2"): Env {
  const { [name]: _removed, ...rest } = env;
  return rest;
}

/** A deployment in which `DB_2` answers no batch in this way. */
function envWithBroken(answer: () => Promise<never>): Env {
  const [, , database] = databases();
  const broken = new Proxy(database, {
    get: (_target, name) => {
      if (name === "batch") return answer;
      const value: unknown = Reflect.get(database, name);
      return typeof value === "function" ? value.bind(database) : value;
    },
  });
  return { ...env, DB_2: broken };
}

async function sendTo(bindings: Env, method: string, path: string, token: string, body?: object) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const request = new Request(`https://idp.test${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return await fetchAnswer(request, bindings);
}

async function relocateIn(bindings: Env, tenant: Tenant, shard: number) {
  const body = { relocation: { shard, limit: 100 } };
  const path = `/v1/tenants/${tenant.id}/relocation`;
  return await sendTo(bindings, "POST", path, env.OPERATOR_TOKEN, body);
}

function callOf(tenant: Tenant, user: User) {
  return {
    tenantId: tenant.id,
    identityId: user.id,
    now: Date.now(),
    requestId: "0".repeat(24),
    actor: { type: "system", id: null } as const,
    jurisdiction: null,
    requestKey: null,
  };
}

/** Calls the guard of a user as a deployment with other bindings does. */
async function inGuard<T>(user: User, bindings: Env, work: (guard: IdentityGuard) => Promise<T>) {
  return await runInDurableObject(guardOf(user), (_guard, ctx) =>
    work(new IdentityGuard(ctx, bindings)),
  );
}

describe("A gap in the numbers of the databases", () => {
  const gapped = envWithout("DB_1");

  it("makes every route but /healthz answer 503, and the log names the binding", async () => {
    const tenant = await Tenant.create("test", { shard: 2 });
    for (const [path, token] of [
      ["/readyz", ""],
      ["/v1/idp/users", tenant.token],
      ["/v1/audit/export", tenant.token],
      ["/v1/keys", env.OPERATOR_TOKEN],
    ] as const) {
      const { status, body } = await sendTo(gapped, "GET", path, token);
      expect([path, status, body.code]).toEqual([path, 503, "unavailable"]);
    }
    expect((await relocateIn(gapped, tenant, 0)).status).toBe(503);
    expect((await sendTo(gapped, "GET", "/healthz", "")).status).toBe(200);
    expect(lines.join()).toContain("DB_1 is not bound, although DB_2 is");
  });

  it("stops the scheduled jobs, the queue's consumer and the guards", async () => {
    const tenant = await Tenant.create("test", { shard: 2 });
    const user = await User.withTotp(tenant);
    const [control] = databases();
    const batches = vi.spyOn(Object.getPrototypeOf(control), "batch");
    const prepared = vi.spyOn(Object.getPrototypeOf(control), "prepare");
    for (const cron of ["* * * * *", "17 * * * *", "37 * * * *"]) {
      await worker.scheduled(createScheduledController({ cron }), gapped);
    }
    const message = { id: "1", timestamp: new Date(), attempts: 1, body: {} };
    const batch = createMessageBatch<unknown>("edge-idp-deliveries", [message]);
    await worker.queue(batch, gapped);
    expect((await getQueueResult(batch, createExecutionContext())).retryBatch.retry).toBe(true);
    expect([batches.mock.calls, prepared.mock.calls]).toEqual([[], []]);
    const refused = await inGuard(user, gapped, (guard) => guard.getProfile(callOf(tenant, user)));
    expect(refused).toMatchObject({ ok: false, error: { code: "unavailable" } });
    expect(() => requireConfig(gapped)).toThrow("DB_1");
  });
});

describe("A database that tenants need, and that is not bound", () => {
  /** Other tests have left tenants in `DB_2`. */
  beforeEach(async () => {
    await env.DB.batch([
      env.DB.prepare("DELETE FROM relocations"),
      env.DB.prepare("UPDATE tenants SET shard = 0"),
    ]);
  });

  it.each([
    ["holds a tenant", async (tenant: Tenant) => void (await relocateFully(tenant, 2))],
    ["is where a tenant is moving", (tenant: Tenant) => relocateUpTo(tenant, 2, "copying")],
  ])("fails readiness, and no key counts as unused, while it %s", async (_title, move) => {
    const tenant = await Tenant.create();
    await move(tenant);
    const bindings = envWithout("DB_2");
    const ready = await sendTo(bindings, "GET", "/readyz", "");
    expect([ready.status, ready.body.checks]).toEqual([503, { database: false, guard: true }]);
    expect(ready.body.error).toContain("A database that tenants need is not bound");
    expect(lines.join()).toContain("DB_2 is not bound, although tenants need it");
    const token = env.OPERATOR_TOKEN;
    expect((await sendTo(bindings, "GET", "/v1/keys", token)).status).toBe(503);
    const body = { re_encryption: { limit: 10 } };
    const path = "/v1/keys/re-encryption";
    expect((await sendTo(bindings, "POST", path, token, body)).status).toBe(503);
    // The last database may go once every tenant has left it.
    await relocateFully(tenant, 0);
    expect((await sendTo(bindings, "GET", "/readyz", "")).status).toBe(200);
    expect((await sendTo(bindings, "GET", "/v1/keys", token)).status).toBe(200);
  });

  it("does not keep a tenant that was moving there from returning", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    const before = await readTenantData(0, tenant);
    await relocateUpTo(tenant, 2, "copying");
    const { body } = await relocateIn(envWithout("DB_2"), tenant, 0);
    expect(body.relocation).toMatchObject({ from: 2, to: 0, phase: "cleaning" });
    expect(await readTenantData(0, tenant)).toEqual(before);
    expect((await tenant.send("DELETE", user.path())).status).toBe(204);
  });
});

describe("A relocation that cannot be finished", () => {
  /** A tenant that has left `DB_2`, and whose old rows are due to be deleted. */
  async function createLeaver() {
    const tenant = await Tenant.create("test", { shard: 2 });
    const user = await User.withTotp(tenant);
    await drainOutbox(user);
    expect((await relocate(tenant, 0)).body.relocation.phase).toBe("cleaning");
    await passMinuteAfterSwitch(tenant);
    return { tenant, user };
  }

  async function createOpening(): Promise<Tenant> {
    const tenant = await Tenant.create();
    await relocate(tenant, 1, 14);
    await relocateUpTo(tenant, 1, "opening");
    return tenant;
  }

  async function readPhase(tenant: Tenant) {
    const [row] = await rowsIn(0, "relocations", tenant.id);
    return row?.phase;
  }

  it.each([
    ["is not bound", () => envWithout("DB_2")],
    ["fails", () => envWithBroken(() => Promise.reject(new Error("D1_ERROR: injected")))],
    ["hangs", () => envWithBroken(hangForever)],
  ])("because its old database %s does not hold up another", async (_title, deploy) => {
    await createLeaver();
    const other = await createOpening();
    await withQuickDeadlines(() => finishRelocations(deploy(), Date.now()));
    expect((await readFences(other))[1]).toBe("here");
    expect(await readPhase(other)).toBe("cleaning");
  });

  it("takes its turn with others, however many fail", async () => {
    await env.DB.prepare("DELETE FROM relocations").run();
    const { tenant } = await createLeaver();
    const stuck = Array.from({ length: 25 }, (_, n) =>
      env.DB.prepare(
        `INSERT INTO relocations VALUES ('${String(n).padStart(24, "0")}', '0', 3, 1, 'cleaning', 0, NULL, 0, 0, 0, NULL, NULL)`,
      ),
    );
    await env.DB.batch(stuck);
    const { DB_2: broken = env.DB } = envWithBroken(() => Promise.reject(new Error("injected")));
    const bindings: Env = { ...env, DB_3: broken };
    const now = Date.now();
    for (let minute = 0; minute < 3; minute += 1) {
      await finishRelocations(bindings, now + minute * minuteMs);
    }
    expect(await readPhase(tenant)).toBe("done");
    await env.DB.prepare("DELETE FROM relocations WHERE from_shard = 3").run();
  });

  it("has a day in which its database may be bound again, and then is over", async () => {
    const { tenant } = await createLeaver();
    await finishRelocations(envWithout("DB_2"), Date.now());
    expect(await readPhase(tenant)).toBe("cleaning");
    await finishRelocations(envWithout("DB_2"), Date.now() + 25 * hourMs);
    expect(await readPhase(tenant)).toBe("done");
    expect(lines.join()).toContain("relocation_not_cleaned");
  });

  it("is over at the operator's request if its old database is not bound", async () => {
    const { tenant } = await createLeaver();
    const { body } = await relocateIn(envWithout("DB_2"), tenant, 0);
    expect(body.relocation).toMatchObject({ phase: "done", done: true });
    expect((await relocate(tenant, 1)).body.relocation).toMatchObject({ from: 0, to: 1 });
  });

  it("does not hold up an erasure if its old database is not bound", async () => {
    const { tenant, user } = await createLeaver();
    const erased = await inGuard(user, envWithout("DB_2"), (guard) =>
      guard.erase(callOf(tenant, user)),
    );
    expect(erased).toMatchObject({ ok: true });
    const rows = await rowsIn(0, "identities", tenant.id);
    expect(rows.map(({ status }) => status)).toEqual(["erased"]);
  });
});
