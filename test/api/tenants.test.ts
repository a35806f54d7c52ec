/** `/v1/tenants`, as the operator uses it: list, read, rename, suspend, reactivate, tokens and erasure. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { tally } from "../attacks/at-once.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { beforeNextBatchOf } from "../support/next-batch.ts";
import { relocateUpTo } from "../support/relocation.ts";
import { sql } from "../support/trail.ts";

const unknownId = "0".repeat(24);

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function ask(method: string, path: string, body?: unknown): Promise<Answer> {
  return send(method, `/v1/tenants${path}`, {
    token: env.OPERATOR_TOKEN,
    ...(body === undefined ? {} : { body }),
  });
}

function change(tenant: Tenant, fields: object): Promise<Answer> {
  return ask("PATCH", `/${tenant.id}`, { tenant: fields });
}

async function listTenantEvents(tenant: Tenant): Promise<Answer["body"][]> {
  const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
  return body.events
    .filter(({ target }: Answer["body"]) => target.type === "tenant")
    .map(({ action, actor, details }: Answer["body"]) => ({ action, actor: actor.type, details }));
}

/** As if another isolate did it: D1 changes, and this isolate gets no notice. */
async function suspendElsewhere({ id }: Tenant): Promise<void> {
  await sql("UPDATE tenants SET status = 'suspended', suspended_at = 1 WHERE id = ?", id);
}

const suspended = { "403 tenant_suspended": 1 };
const created = { action: "tenant.created", actor: "operator", details: { mode: "test" } };

describe("The list of tenants", () => {
  it("shows each tenant with its users, wherever its data is, in pages", async () => {
    const tenants = [await Tenant.create("live"), await Tenant.create("test", { shard: 1 })];
    const [first, second] = tenants;
    if (first === undefined || second === undefined) throw new Error("no tenants");
    await User.provision(second, "stays");
    await User.provision(second, "stays too");
    await second.send("DELETE", (await User.provision(second, "is erased")).path());
    const before = `${(BigInt(`0x${first.id}`) - 1n).toString(16).padStart(24, "0")}`;
    const page = await ask("GET", `?limit=1&after=${before}`);
    expect(page.body).toMatchObject({
      tenants: [{ id: first.id, mode: "live", status: "active", users: 0, shard: 0 }],
      has_more: true,
      next_after: first.id,
    });
    const rest = await ask("GET", `?after=${first.id}`);
    const { body } = await ask("GET", `/${second.id}`);
    expect(rest.body.tenants).toContainEqual(body.tenant);
    expect(body.tenant).toEqual({
      id: second.id,
      name: "Acme",
      mode: "test",
      status: "active",
      suspended_at: null,
      jurisdiction: null,
      shard: 1,
      users: 2,
      users_estimated: false,
      created_at: expect.any(String),
    });
  });

  it("estimates the users of a tenant with more than it counts", async () => {
    const tenant = await Tenant.create();
    // Ids are spread evenly, as hashes are.
    await sql(
      `INSERT INTO identities (tenant_id, id, external_id, status, created_at, updated_at, version, state)
        WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 119999)
        SELECT ?, printf('%012x000000000000', n * 2345624805), printf('u%d', n), 'active', 1, 1, 1, '{}' FROM number`,
      tenant.id,
    );
    const { body } = await ask("GET", `/${tenant.id}`);
    await sql("DELETE FROM identities WHERE tenant_id = ?", tenant.id);
    expect(body.tenant.users_estimated).toBe(true);
    expect(Math.abs(body.tenant.users / 120_000 - 1)).toBeLessThan(0.01);
  });

  it("can be limited to a status", async () => {
    const tenant = await Tenant.create();
    await change(tenant, { status: "suspended" });
    const listed = async (status: string) => {
      const after = `${tenant.id.slice(0, 11)}${"0".repeat(13)}`;
      const { body } = await ask("GET", `?limit=100&status=${status}&after=${after}`);
      return body.tenants.map(({ id }: Answer["body"]) => id);
    };
    expect(await listed("suspended")).toContain(tenant.id);
    expect(await listed("active")).not.toContain(tenant.id);
    expect(await listed("deleting")).not.toContain(tenant.id);
  });

  it("shows the tenants of a database that fails, without their users", async () => {
    const tenant = await Tenant.create();
    vi.spyOn(console, "error").mockImplementation(() => {});
    await sql("UPDATE tenants SET shard = 9 WHERE id = ?", tenant.id);
    expect((await ask("GET", `/${tenant.id}`)).body.tenant).toMatchObject({ users: null });
    await sql("UPDATE tenants SET shard = 0 WHERE id = ?", tenant.id);
  });
});

describe.each([
  ["in DB", 0],
  ["in another database", 1],
] as const)("A tenant %s", (_, shard) => {
  it("is renamed, suspended and reactivated, with one event for each change", async () => {
    const tenant = await Tenant.create("test", { shard });
    const user = await User.withTotp(tenant);
    for (let repeated = 0; repeated < 2; repeated += 1) {
      const answer = await change(tenant, { name: "Acme Ltd", status: "suspended" });
      expect(answer.body.tenant).toMatchObject({ name: "Acme Ltd", status: "suspended", users: 1 });
      expect(answer.body.tenant.suspended_at).not.toBeNull();
      expect(tally([await user.verify(user.code(Date.now()))])).toEqual(suspended);
    }
    const { body } = await change(tenant, { status: "active" });
    expect(body.tenant).toMatchObject({ status: "active", suspended_at: null });
    expect((await change(tenant, {})).body.tenant).toEqual(body.tenant);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    expect(await listTenantEvents(tenant)).toEqual([
      { action: "tenant.reactivated", actor: "operator", details: {} },
      { action: "tenant.suspended", actor: "operator", details: {} },
      {
        action: "tenant.renamed",
        actor: "operator",
        details: { from: "Acme", to: "Acme Ltd" },
      },
      created,
    ]);
  });
});

describe("A suspended tenant", () => {
  it("cannot write, even from an isolate that caches its token", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant);
    const { body } = await tenant.send("GET", "/v1/tokens");
    const [{ id }] = body.tokens;
    const token = { name: "n", permissions: ["idp:read"] };
    const requests: readonly (readonly [string, string, object | undefined])[] = [
      ["POST", "/v1/tokens", { token }],
      ["POST", `/v1/tokens/${id}/rotate`, { token: {} }],
      ["DELETE", `/v1/tokens/${id}`, undefined],
      ["PATCH", "/v1/settings", { settings: { lockout: { lock_seconds: 60 } } }],
      ["POST", user.path("/backup-codes"), undefined],
    ];
    await suspendElsewhere(tenant);
    const readSettings = () =>
      env.DB.prepare("SELECT settings FROM tenants WHERE id = ?").bind(tenant.id).first();
    const before = await readSettings();
    tenant.requestKey = "a-key";
    for (const [method, path, sent] of requests) {
      expect(tally([await tenant.send(method, path, sent)])).toEqual(suspended);
      await sql("UPDATE tenants SET status = 'active' WHERE id = ?", tenant.id);
      invalidateTenant(tenant.id);
      expect((await tenant.send("GET", "/v1/settings")).status).toBe(200);
      await suspendElsewhere(tenant);
    }
    expect(await readSettings()).toEqual(before);
    expect(await rowsIn(0, "api_tokens", tenant.id)).toHaveLength(1);
    expect(await rowsIn(0, "request_keys", tenant.id)).toEqual([]);
  });

  it("cannot write what was under way when it was suspended", async () => {
    const tenant = await Tenant.create();
    const token = { name: "n", permissions: ["idp:read"] };
    beforeNextBatchOf(tenant.id, () => change(tenant, { status: "suspended" }));
    expect(tally([await tenant.send("POST", "/v1/tokens", { token })])).toEqual(suspended);
    expect(await rowsIn(0, "api_tokens", tenant.id)).toHaveLength(1);
  });

  it("stays suspended, and keeps its name, once its deletion has begun", async () => {
    const tenant = await Tenant.create();
    await sql("UPDATE tenants SET status = 'deleting', suspended_at = 1 WHERE id = ?", tenant.id);
    invalidateTenant(tenant.id);
    for (const fields of [{ status: "active" }, { status: "suspended" }, { name: "Other" }]) {
      expect(tally([await change(tenant, fields)])).toEqual({ "409 tenant_deleting": 1 });
    }
    expect(tally([await tenant.send("GET", "/v1/settings")])).toEqual(suspended);
    expect((await ask("GET", `/${tenant.id}`)).body.tenant.status).toBe("deleting");
  });

  it("is decided in the batch: a deletion that begins meanwhile is not undone", async () => {
    const tenant = await Tenant.create();
    await change(tenant, { status: "suspended" });
    beforeNextBatchOf(tenant.id, () =>
      sql("UPDATE tenants SET status = 'deleting' WHERE id = ?", tenant.id),
    );
    expect(tally([await change(tenant, { status: "active" })])).toEqual({
      "409 tenant_deleting": 1,
    });
  });

  it("keeps its trail: scheduled jobs go on", async () => {
    const tenant = await Tenant.create();
    await change(tenant, { status: "suspended" });
    await integrateLogs(env, Date.now());
    const [tree] = await rowsIn(0, "audit_trees", tenant.id);
    // The tenant and its token were created, and the tenant was suspended.
    expect(tree?.size).toBe(3);
  });

  it("can be suspended while it is relocated", async () => {
    const tenant = await Tenant.create();
    await relocateUpTo(tenant, 1, "copying");
    expect((await change(tenant, { status: "suspended" })).status).toBe(200);
    expect(tally([await tenant.send("GET", "/v1/settings")])).toEqual(suspended);
    expect(await rowsIn(0, "control_outbox", tenant.id)).toHaveLength(1);
  });
});

describe("The operator", () => {
  it("gets 404 for a tenant that does not exist", async () => {
    const answers = [
      await ask("GET", `/${unknownId}`),
      await ask("PATCH", `/${unknownId}`, { tenant: { status: "suspended" } }),
      await ask("GET", `/${unknownId}/tokens`),
      await ask("DELETE", `/${unknownId}/user?externalUserId=u`),
    ];
    expect(tally(answers)).toEqual({ "404 not_found": 4 });
  });

  it("issues, lists and revokes tokens of a suspended tenant, also the last one", async () => {
    const tenant = await Tenant.create();
    await change(tenant, { status: "suspended" });
    const token = { name: "found again", permissions: ["tokens:write", "audit:read"] };
    const issued = await ask("POST", `/${tenant.id}/tokens`, { token });
    expect(issued.status).toBe(201);
    const listed = await ask("GET", `/${tenant.id}/tokens`);
    expect(listed.body.tokens.map(({ name }: Answer["body"]) => name)).toEqual([
      "initial",
      "found again",
    ]);
    const [{ id }] = listed.body.tokens;
    expect((await ask("DELETE", `/${tenant.id}/tokens/${id}`)).status).toBe(204);
    expect(tally([await ask("DELETE", `/${tenant.id}/tokens/${id}`)])).toEqual({
      "404 not_found": 1,
    });
    await change(tenant, { status: "active" });
    expect(tally([await tenant.send("GET", "/v1/tokens")])).toEqual({ "401 invalid_token": 1 });
    const { body } = await tenant.send(
      "GET",
      "/v1/audit/events",
      undefined,
      issued.body.token.secret,
    );
    const events = body.events.map(({ action, actor }: Answer["body"]) => [action, actor.type]);
    expect(events).toEqual(
      expect.arrayContaining([
        ["token.revoked", "operator"],
        ["token.created", "operator"],
      ]),
    );
    const last = `/${tenant.id}/tokens/${issued.body.token.id}`;
    expect((await ask("DELETE", last)).status).toBe(204);
    expect((await ask("GET", `/${tenant.id}/tokens`)).body.tokens).toEqual([]);
  });

  it("does not revoke a token of another tenant", async () => {
    const [tenant, other] = [await Tenant.create(), await Tenant.create()];
    const [{ id }] = (await ask("GET", `/${other.id}/tokens`)).body.tokens;
    expect((await ask("DELETE", `/${tenant.id}/tokens/${id}`)).status).toBe(404);
    expect((await other.send("GET", "/v1/tokens")).status).toBe(200);
  });

  it("erases a user of a suspended tenant, as the actor of the event", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await change(tenant, { status: "suspended" });
    const path = `/${tenant.id}/user?externalUserId=${user.externalId}`;
    expect((await ask("DELETE", path)).status).toBe(204);
    expect(tally([await ask("DELETE", path)])).toEqual({ "404 user_not_found": 1 });
    await change(tenant, { status: "active" });
    expect((await tenant.send("GET", user.path())).status).toBe(404);
    const { body } = await tenant.send("GET", "/v1/audit/events?action=user.erased");
    expect(body.events).toMatchObject([{ actor: { type: "operator", id: null } }]);
  });
});
