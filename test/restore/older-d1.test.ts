import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { registerAllEnds } from "../../src/tenancy/token-end.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { evict, guardOf } from "../support/guard.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Half a minute later: no isolate remembers a token record of before. */
function thirtySecondsLater(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
}

function use(token: string): Promise<Answer> {
  return send("GET", "/v1/idp/users", { token });
}

async function issue(tenant: Tenant): Promise<{ id: string; secret: string }> {
  const body = { token: { name: "t", permissions: ["idp:read", "tokens:write"] } };
  return (await tenant.send("POST", "/v1/tokens", body)).body.token;
}

describe("An older D1 under newer guards", () => {
  it("brings no used code back, TOTP or backup, before or after an eviction", async () => {
    const user = await User.withTotp(await Tenant.create());
    const [backup = ""] = await user.backupCodes();
    const restore = await snapshotOfD1();
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    expect((await user.verify(backup)).status).toBe(200);
    await guardOf(user).deliver();
    await restore();
    expect((await user.verify(code)).status).toBe(422);
    expect((await user.verify(backup)).status).toBe(422);
    await evict(user);
    expect((await user.verify(code)).status).toBe(422);
    expect((await user.verify(backup)).status).toBe(422);
  });

  it("lets counters and locks stand, and has the newer record again with the next change", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    const restore = await snapshotOfD1();
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    await guardOf(user).deliver();
    await restore();
    await evict(user);
    expect((await user.verify(wrong)).status).toBe(423);
    expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
    await guardOf(user).deliver();
    const { users } = (await user.tenant.send("GET", "/v1/idp/users?status=locked")).body;
    expect(users).toHaveLength(1);
  });

  it("lets a new secret and a suspension stand", async () => {
    const user = await User.withTotp(await Tenant.create());
    const old = user.secret;
    const restore = await snapshotOfD1();
    await user.configure();
    expect(user.secret).not.toBe(old);
    await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    await restore();
    await evict(user);
    expect((await user.profile()).status).toBe("suspended");
    await user.tenant.send("PATCH", user.path(), { user: { status: "active" } });
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });

  it("makes no revoked token valid again", async () => {
    const tenant = await Tenant.create();
    const token = await issue(tenant);
    expect((await use(token.secret)).status).toBe(200);
    const restore = await snapshotOfD1();
    expect((await tenant.send("DELETE", `/v1/tokens/${token.id}`)).status).toBe(204);
    await restore();
    thirtySecondsLater();
    const { status, body } = await use(token.secret);
    expect([status, body.code]).toEqual([401, "invalid_token"]);
    expect((await use(tenant.token)).status).toBe(200);
  });

  it("makes no rotated token live longer than its overlap", async () => {
    const tenant = await Tenant.create();
    const token = await issue(tenant);
    const restore = await snapshotOfD1();
    await tenant.send("POST", `/v1/tokens/${token.id}/rotate`, { token: { overlap_seconds: 60 } });
    await restore();
    thirtySecondsLater();
    expect((await use(token.secret)).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect((await use(token.secret)).status).toBe(401);
  });
});

describe("The register of ended tokens", () => {
  function register(tenant: Tenant) {
    return env.REGISTER.get(env.REGISTER.idFromName(tenant.id));
  }

  it("out of reach fails no revocation, and is told of it by the next run", async () => {
    const tenant = await Tenant.create();
    const token = await issue(tenant);
    const restore = await snapshotOfD1();
    const away = vi.spyOn(Object.getPrototypeOf(env.REGISTER), "get").mockImplementation(() => ({
      keep: () => Promise.reject(new Error("injected")),
      endOf: () => Promise.resolve(null),
    }));
    expect((await tenant.send("DELETE", `/v1/tokens/${token.id}`)).status).toBe(204);
    away.mockRestore();
    expect((await use(token.secret)).status).toBe(401);
    await registerAllEnds(env);
    await restore();
    thirtySecondsLater();
    expect((await use(token.secret)).status).toBe(401);
  });

  it("out of reach is a 503 for a token that nobody remembers, never a way in", async () => {
    const tenant = await Tenant.create();
    const token = await issue(tenant);
    vi.spyOn(Object.getPrototypeOf(env.REGISTER), "get").mockImplementation(() => ({
      endOf: () => Promise.reject(new Error("injected")),
    }));
    expect((await use(token.secret)).status).toBe(503);
  });

  it("keeps the earliest end, holds no token, and nothing for a tenant that ended none", async () => {
    const tenant = await Tenant.create();
    const stub = register(tenant);
    const rows = () =>
      runInDurableObject(stub, (_register, { storage }) =>
        storage.sql
          .exec("SELECT 1 FROM sqlite_master WHERE name = 'ends'")
          .toArray()
          .flatMap(() => storage.sql.exec("SELECT * FROM ends").toArray()),
      );
    await use(tenant.token);
    expect(await rows()).toEqual([]);
    const token = await issue(tenant);
    await tenant.send("POST", `/v1/tokens/${token.id}/rotate`, { token: { overlap_seconds: 60 } });
    const [first] = await rows();
    await tenant.send("POST", `/v1/tokens/${token.id}/rotate`, {
      token: { overlap_seconds: 600 },
    });
    expect(await rows()).toEqual([first]);
    await tenant.send("DELETE", `/v1/tokens/${token.id}`);
    expect(await rows()).toEqual([{ ...first, ends_at: 0 }]);
    expect(JSON.stringify(await rows())).not.toContain(token.secret);
  });
});
