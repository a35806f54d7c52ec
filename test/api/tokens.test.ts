import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createId } from "../../src/crypto/id.ts";
import { deleteExpired } from "../../src/housekeeping.ts";
import { firstPermissions } from "../../src/tenancy/permission.ts";
import { send, Tenant, User } from "../support/client.ts";
import { rowsIn } from "../support/databases.ts";
import { addTokens } from "../support/many-tokens.ts";

afterEach(() => {
  vi.useRealTimers();
});

const hourMs = 3_600_000;
const start = Date.parse("2026-03-01T12:00:00Z");

async function isAccepted(tenant: Tenant, token: string): Promise<boolean> {
  const { status } = await tenant.send("GET", "/v1/idp/users", undefined, token);
  expect([200, 401]).toContain(status);
  return status === 200;
}

async function createToken(tenant: Tenant, token: object) {
  const { status, body } = await tenant.send("POST", "/v1/tokens", { token });
  expect(status).toBe(201);
  return body.token;
}

describe("API tokens", () => {
  it("show a client what its own token may do, with what a permission includes", async () => {
    const tenant = await Tenant.create();
    const expires_at = new Date(Date.now() + hourMs).toISOString();
    const wanted = { name: "officer", permissions: ["tokens:write", "audit:read"], expires_at };
    const { id, secret } = await createToken(tenant, wanted);
    const { status, body } = await tenant.send("GET", "/v1/token", undefined, secret);
    expect(status).toBe(200);
    expect(body.token).toEqual({
      id,
      tenant_id: tenant.id,
      mode: "test",
      expires_at,
      permissions: ["audit:read", "tokens:read", "tokens:write"],
    });
  });

  it("can be listed with tokens:read, and the settings be read with settings:read", async () => {
    const tenant = await Tenant.create();
    const spellings = ["ApiAccessPermission::TOKENS_READ", "SETTINGS_READ"];
    const officer = await createToken(tenant, { name: "officer", permissions: spellings });
    expect(officer.permissions).toEqual(["tokens:read", "settings:read"]);
    const ask = async (method: string, path: string, body?: unknown) =>
      await tenant.send(method, path, body, officer.secret);
    expect((await ask("GET", "/v1/tokens")).body.tokens).toHaveLength(2);
    expect((await ask("GET", "/v1/settings")).body.tenant_id).toBe(tenant.id);
    for (const [path, permission] of [
      ["/v1/settings", "settings:write"],
      [`/v1/tokens/${officer.id}`, "tokens:write"],
    ] as const) {
      const isSettings = path === "/v1/settings";
      const body = isSettings ? { settings: {} } : undefined;
      const { status, headers } = await ask(isSettings ? "PATCH" : "DELETE", path, body);
      expect(status).toBe(403);
      expect(headers.get("WWW-Authenticate")).toContain(`scope="${permission}"`);
    }
    // Tokens of older builds have no permission to read.
    const older = await tenant.tokenWith(["tokens:write", "settings:write"]);
    for (const path of ["/v1/tokens", "/v1/settings"]) {
      expect((await tenant.send("GET", path, undefined, older)).status).toBe(200);
    }
  });

  it("contain the mode of their tenant, and are shown once", async () => {
    for (const mode of ["live", "test"] as const) {
      const tenant = await Tenant.create(mode);
      expect(tenant.token).toMatch(new RegExp(`^idp_${mode}_[0-9A-Za-z]{49}$`));
      const created = await createToken(tenant, { name: "backend", permissions: ["idp:read"] });
      expect(created.secret).toMatch(new RegExp(`^idp_${mode}_`));
      const { body } = await tenant.send("GET", "/v1/tokens");
      expect(body.has_more).toBe(false);
      expect(body.tokens).toHaveLength(2);
      const { secret, ...shown } = created;
      expect(body.tokens[1]).toEqual(shown);
      expect(JSON.stringify(body)).not.toContain(secret);
    }
  });

  it("accept permissions in both spellings of the source document, and have each once", async () => {
    const tenant = await Tenant.create();
    const created = await createToken(tenant, {
      name: "n",
      permissions: ["ApiAccessPermission::IDP_READ", "idp:read", "SENTINEL_READ"],
    });
    expect(created.permissions).toEqual(["idp:read", "sentinel:read"]);
  });

  it("cannot have unknown permissions, no permissions or an expiry in the past", async () => {
    const tenant = await Tenant.create();
    for (const token of [
      { name: "n", permissions: ["idp:admin"] },
      { name: "n", permissions: [] },
      { name: "", permissions: ["idp:read"] },
      { name: "n", permissions: ["idp:read"], expires_at: "2020-01-01T00:00:00Z" },
      { name: "n", permissions: ["idp:read"], expires_at: "tomorrow" },
      { name: "n", permissions: "idp:read" },
    ]) {
      const { status, body } = await tenant.send("POST", "/v1/tokens", { token });
      expect(status).toBe(400);
      expect(body.issues[0].path).toMatch(/^token\./);
    }
  });

  it("expire at the given time", async () => {
    const tenant = await Tenant.create();
    tenant.clock = new Date(start).toISOString();
    const { secret } = await createToken(tenant, {
      name: "n",
      permissions: ["idp:read"],
      expires_at: new Date(start + hourMs).toISOString(),
    });
    tenant.clock = new Date(start + hourMs - 1).toISOString();
    expect(await isAccepted(tenant, secret)).toBe(true);
    tenant.clock = new Date(start + hourMs).toISOString();
    expect(await isAccepted(tenant, secret)).toBe(false);
  });

  it("overlap with their successor after a rotation", async () => {
    const tenant = await Tenant.create();
    tenant.clock = new Date(start).toISOString();
    const old = await createToken(tenant, { name: "backend", permissions: ["idp:read"] });
    const { status, body } = await tenant.send("POST", `/v1/tokens/${old.id}/rotate`, {
      token: { overlap_seconds: 3600 },
    });
    expect(status).toBe(201);
    expect(body.token).toMatchObject({ name: "backend", permissions: ["idp:read"] });
    tenant.clock = new Date(start + hourMs - 1).toISOString();
    expect(await isAccepted(tenant, old.secret)).toBe(true);
    expect(await isAccepted(tenant, body.token.secret)).toBe(true);
    tenant.clock = new Date(start + hourMs).toISOString();
    expect(await isAccepted(tenant, old.secret)).toBe(false);
    expect(await isAccepted(tenant, body.token.secret)).toBe(true);
  });

  it("can be rotated again after a lost reply, as long as they have not ended", async () => {
    const tenant = await Tenant.create();
    const old = await createToken(tenant, { name: "n", permissions: ["idp:read"] });
    const rotate = (overlap_seconds: number) =>
      tenant.send("POST", `/v1/tokens/${old.id}/rotate`, { token: { overlap_seconds } });
    await rotate(60);
    const again = (await rotate(60)).body.token;
    expect(again.expires_at).toBeNull();
    expect(await isAccepted(tenant, again.secret)).toBe(true);
    tenant.requestKey = "rotation-without-overlap";
    const last = (await rotate(0)).body.token;
    expect((await rotate(0)).body.token).toEqual(last);
    tenant.requestKey = undefined;
    expect((await rotate(0)).body.code).toBe("not_found");
  });

  it("never get an expiry that RFC 3339 cannot write", async () => {
    const tenant = await Tenant.create();
    tenant.clock = "2000-01-01T00:00:00Z";
    const old = await createToken(tenant, {
      name: "n",
      permissions: ["idp:read"],
      expires_at: "9999-12-31T23:59:59Z",
    });
    expect(old.expires_at).toBe("9999-12-31T23:59:59.000Z");
    tenant.clock = "2199-01-01T00:00:00Z";
    const { body } = await tenant.send("POST", `/v1/tokens/${old.id}/rotate`, { token: {} });
    expect(body.token.expires_at).toBe("9999-12-31T23:59:59.999Z");
  });

  it("do not outlive their expiry through a rotation", async () => {
    const tenant = await Tenant.create();
    tenant.clock = new Date(start).toISOString();
    const old = await createToken(tenant, {
      name: "n",
      permissions: ["idp:read"],
      expires_at: new Date(start + 60_000).toISOString(),
    });
    const { body } = await tenant.send("POST", `/v1/tokens/${old.id}/rotate`, {
      token: { overlap_seconds: 3600 },
    });
    expect(body.token.expires_at).toBe(new Date(start + 60_000).toISOString());
    tenant.clock = new Date(start + 60_000).toISOString();
    expect(await isAccepted(tenant, old.secret)).toBe(false);
  });

  it("are refused at once in the isolate that revoked them, and a second revocation is a 404", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant, { name: "n", permissions: ["idp:read"] });
    expect(await isAccepted(tenant, secret)).toBe(true);
    expect((await tenant.send("DELETE", `/v1/tokens/${id}`)).status).toBe(204);
    expect(await isAccepted(tenant, secret)).toBe(false);
    expect((await tenant.send("DELETE", `/v1/tokens/${id}`)).status).toBe(404);
    expect((await tenant.send("POST", `/v1/tokens/${id}/rotate`, { token: {} })).status).toBe(404);
  });

  it("are refused within 30 s of a revocation elsewhere", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant, { name: "n", permissions: ["idp:read"] });
    vi.useFakeTimers({ toFake: ["Date"], now: start });
    expect(await isAccepted(tenant, secret)).toBe(true);
    // As if another isolate revoked it: D1 changes, and this isolate gets no notice.
    await env.DB.prepare("UPDATE api_tokens SET revoked_at = 1 WHERE id = ?").bind(id).run();
    expect(await isAccepted(tenant, secret)).toBe(true);
    vi.setSystemTime(start + 30_000 - 2_000);
    expect(await isAccepted(tenant, secret)).toBe(false);
  });

  it("show when they were last used", async () => {
    const tenant = await Tenant.create();
    const { secret } = await createToken(tenant, { name: "n", permissions: ["idp:read"] });
    await isAccepted(tenant, secret);
    await vi.waitFor(async () => {
      const { body } = await tenant.send("GET", "/v1/tokens");
      expect(body.tokens[1].last_used_at).not.toBeNull();
    }, 5_000);
  });

  it("are stored only as a hash", async () => {
    const tenant = await Tenant.create();
    const { results } = await env.DB.prepare("SELECT * FROM api_tokens WHERE tenant_id = ?")
      .bind(tenant.id)
      .all();
    expect(results).toHaveLength(1);
    expect(JSON.stringify(results)).not.toContain(tenant.token);
    expect(JSON.stringify(results)).not.toContain(tenant.token.slice(9));
  });

  it("are listed in pages", async () => {
    const tenant = await Tenant.create();
    for (const name of ["b", "c", "d"])
      await createToken(tenant, { name, permissions: ["idp:read"] });
    const first = await tenant.send("GET", "/v1/tokens?limit=3");
    expect(first.body.tokens.map(({ name }: { name: string }) => name)).toEqual([
      "initial",
      "b",
      "c",
    ]);
    expect(first.body.has_more).toBe(true);
    const second = await tenant.send("GET", `/v1/tokens?limit=3&after=${first.body.next_after}`);
    expect(second.body.tokens.map(({ name }: { name: string }) => name)).toEqual(["d"]);
    expect(second.body).toMatchObject({ has_more: false, next_after: null });
  });
});

describe("A tenant with 1,000 API tokens", () => {
  const body = { token: { name: "n", permissions: ["idp:read"] } };

  it("gets no further one until one ends, also with two requests at once", async () => {
    const tenant = await Tenant.create();
    const idOf = await addTokens(tenant, 998);
    const answers = await Promise.all([
      tenant.send("POST", "/v1/tokens", body),
      tenant.send("POST", "/v1/tokens", body),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
    const refused = answers.find(({ status }) => status === 409);
    expect(refused?.body).toMatchObject({
      code: "too_many",
      error:
        "A tenant has at most 1,000 API tokens that have not ended, ten webhooks and five streams, a webhook at most 1,000 deliveries that wait, and a user at most ten passkeys and five authenticators; revoke or remove one first.",
    });
    await tenant.send("DELETE", `/v1/tokens/${idOf(1)}`);
    expect((await tenant.send("POST", "/v1/tokens", body)).status).toBe(201);
    expect((await tenant.send("POST", "/v1/tokens", body)).status).toBe(409);
  });

  it("can rotate without overlap, and with an overlap one after the other", async () => {
    const tenant = await Tenant.create();
    const idOf = await addTokens(tenant, 999);
    const rotate = async (n: number, overlap_seconds: number) => {
      const path = `/v1/tokens/${idOf(n)}/rotate`;
      return (await tenant.send("POST", path, { token: { overlap_seconds } })).status;
    };
    expect(await rotate(1, 0)).toBe(201);
    expect(await rotate(2, 0)).toBe(201);
    expect(await rotate(3, 60)).toBe(201);
    // The overlapping token counts until it ends, also for a second rotation of its own.
    expect([await rotate(3, 60), await rotate(4, 60)]).toEqual([409, 409]);
    expect(await rotate(5, 0)).toBe(409);
    await tenant.send("DELETE", `/v1/tokens/${idOf(3)}`);
    expect(await rotate(4, 60)).toBe(201);
  });

  it("is a tenant with 1,000 that have not ended: revoked and expired ones do not count", async () => {
    const tenant = await Tenant.create();
    await addTokens(tenant, 1_000, { revokedAt: 1 });
    await addTokens(tenant, 1_000, { expiresAt: 1 });
    expect((await tenant.send("POST", "/v1/tokens", body)).status).toBe(201);
  });

  it("gets no further one with a test clock at which the others have ended", async () => {
    const tenant = await Tenant.create();
    await addTokens(tenant, 999, { expiresAt: Date.now() + hourMs });
    tenant.clock = "2100-01-01T00:00:00Z";
    expect((await tenant.send("POST", "/v1/tokens", body)).status).toBe(409);
  });
});

describe("API tokens that ended 400 days ago", () => {
  const dayMs = 24 * hourMs;

  it.each([
    ["live", ["old", "unlimited", "recently expired", "recently revoked"]],
    // The clock of a test tenant may be anywhere, so an expiry in the past proves nothing.
    ["test", ["old", "unlimited", "long expired", "recently expired", "recently revoked"]],
  ] as const)("are deleted, but no others, for a %s tenant", async (mode, remaining) => {
    const tenant = await Tenant.create(mode);
    const now = Date.now();
    const [longAgo, recently] = [now - 400 * dayMs, now - 399 * dayMs];
    const rows = [
      ["old", now + dayMs, null],
      ["unlimited", null, null],
      ["long expired", longAgo, null],
      ["recently expired", recently, null],
      ["long revoked", null, longAgo],
      ["recently revoked", null, recently],
    ] as const;
    await env.DB.batch(
      rows.map(([name, expiresAt, revokedAt]) =>
        env.DB.prepare(
          `INSERT INTO api_tokens (id, tenant_id, name, hash, permissions, created_at, expires_at, revoked_at)
           VALUES (?, ?, ?, ?, '[]', 0, ?, ?)`,
        ).bind(createId(0), tenant.id, name, `${tenant.id} ${name}`, expiresAt, revokedAt),
      ),
    );
    await deleteExpired(env, now);
    const left = await rowsIn(0, "api_tokens", tenant.id);
    expect(left.map(({ name }) => name).toSorted()).toEqual(["initial", ...remaining].toSorted());
  });
});

describe("Tenants", () => {
  it("are created by the operator, with a first token that has every permission but that to export secrets", async () => {
    const { status, body } = await send("POST", "/v1/tenants", {
      token: env.OPERATOR_TOKEN,
      body: { tenant: { name: "Acme", mode: "live" } },
    });
    expect(status).toBe(201);
    expect(body.tenant).toMatchObject({ name: "Acme", mode: "live" });
    expect(body.tenant.id).toMatch(/^[0-9a-f]{24}$/);
    expect(body.token.permissions).toEqual(firstPermissions);
  });

  it("may use the same external_id, and share nothing", async () => {
    const [one, two] = [await Tenant.create(), await Tenant.create()];
    const [first, second] = [
      await User.withTotp(one, "shared"),
      await User.withTotp(two, "shared"),
    ];
    expect(first.id).not.toBe(second.id);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await first.verify(first.wrongCode(Date.now()));
    }
    expect((await first.profile()).is_locked).toBe(true);
    expect((await second.profile()).is_locked).toBe(false);
    expect((await second.verify(second.code(Date.now()))).status).toBe(200);
  });
});

describe("Test-Clock", () => {
  it("sets the time of a test tenant's request", async () => {
    const user = await User.withTotp(await Tenant.create("test"));
    user.tenant.clock = "2031-05-05T05:05:05+02:00";
    const at = Date.parse("2031-05-05T05:05:05+02:00");
    expect((await user.verify(user.code(at))).status).toBe(200);
    expect((await user.profile()).last_verified_at).toBe(new Date(at).toISOString());
  });

  it("is rejected with 400 for a live token and for the operator", async () => {
    const tenant = await Tenant.create("live");
    const headers = { "Test-Clock": "2031-05-05T05:05:05Z" };
    const answers = [
      await send("GET", "/v1/idp/users", { token: tenant.token, headers }),
      await send("POST", "/v1/tenants", {
        token: env.OPERATOR_TOKEN,
        headers,
        body: { tenant: { name: "n", mode: "live" } },
      }),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(400);
      expect(body.issues[0].path).toBe("Test-Clock");
    }
  });

  it.each([
    ...["now", "2031-05-05", "1700000000000", "-1"],
    ...["1999-12-31T23:59:59.999Z", "2200-01-01T00:00:00Z", "9999-12-31T00:00:00Z"],
  ])("must be an RFC 3339 time from 2000 to 2199: %s", async (clock) => {
    const tenant = await Tenant.create("test");
    tenant.clock = clock;
    const { status, body } = await tenant.send("GET", "/v1/idp/users");
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: "invalid_request", issues: [{ path: "Test-Clock" }] });
  });

  it.each(["2000-01-01T00:00:00Z", "2199-12-31T23:59:59.999Z"])(
    "at its bound %s leads to times that RFC 3339 can write",
    async (clock) => {
      const tenant = await Tenant.create("test");
      const week = 7 * 24 * 60 * 60;
      await tenant.setSettings({
        lockout: { max_failed_attempts: 1, lock_seconds: week, max_lock_seconds: week },
      });
      tenant.clock = clock;
      const user = await User.withTotp(tenant);
      expect((await user.verify(user.wrongCode(Date.parse(clock)))).status).toBe(422);
      // The client compares every answer with the formats of the OpenAPI document.
      expect((await user.profile()).locked_until).toMatch(/^(2000|2200)-01-0[78]T/);
      expect(await user.events()).not.toEqual([]);
    },
  );
});
