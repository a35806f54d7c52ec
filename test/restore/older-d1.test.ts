import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { finishRelocations } from "../../src/relocation/relocate.ts";
import { publishPopulations } from "../../src/sentinel/population/publish.ts";
import { registerAllTokenEnds } from "../../src/tenancy/token-register-client.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { databases, rowsIn } from "../support/databases.ts";
import { evict, guardOf, loseStorage } from "../support/guard.ts";
import { relocateFully } from "../support/relocation.ts";

const dayMs = 24 * 60 * 60 * 1000;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Moves the clock by 30 s, after which no isolate has an older token record cached. */
function advanceThirtySeconds(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 30_000 });
}

function listUsersWith(token: string): Promise<Answer> {
  return send("GET", "/v1/idp/users", { token });
}

/** Expects that the token is refused although it was cached, and that the tenant's other token works. */
async function expectRevoked(token: string, tenant: Tenant): Promise<void> {
  advanceThirtySeconds();
  const { status, body } = await listUsersWith(token);
  expect([status, body.code]).toEqual([401, "invalid_token"]);
  expect((await listUsersWith(tenant.token)).status).toBe(200);
}

async function createToken(tenant: Tenant): Promise<{ id: string; secret: string }> {
  const body = { token: { name: "t", permissions: ["idp:read", "tokens:write"] } };
  return (await tenant.send("POST", "/v1/tokens", body)).body.token;
}

describe("An older D1 under newer guards", () => {
  it("makes no spent code valid again, TOTP or backup, before or after an eviction", async () => {
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

  it("leaves counters and locks unchanged, and gets the newer record with the next change", async () => {
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

  it("leaves a new secret and a suspension unchanged", async () => {
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
    const token = await createToken(tenant);
    expect((await listUsersWith(token.secret)).status).toBe(200);
    const restore = await snapshotOfD1();
    expect((await tenant.send("DELETE", `/v1/tokens/${token.id}`)).status).toBe(204);
    await restore();
    await expectRevoked(token.secret, tenant);
  });

  it("does not extend the overlap of a rotated token", async () => {
    const tenant = await Tenant.create();
    const token = await createToken(tenant);
    const restore = await snapshotOfD1();
    await tenant.send("POST", `/v1/tokens/${token.id}/rotate`, { token: { overlap_seconds: 60 } });
    await restore();
    advanceThirtySeconds();
    expect((await listUsersWith(token.secret)).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    expect((await listUsersWith(token.secret)).status).toBe(401);
  });
});

describe("A D1 restored to a time before a user was erased and provisioned again", () => {
  /** The user has an assessed and confirmed session in the erased life, and none in the new one. */
  async function restoreErasedLife() {
    const tenant = await Tenant.create();
    const erased = await User.withTotp(tenant);
    const { assessment_id } = await erased.assess({ ip: "198.51.100.7" });
    await erased.sendFeedback(assessment_id, "legitimate");
    await guardOf(erased).deliver();
    await env.DB.prepare("INSERT INTO populations (tenant_id, built_at, logins) VALUES (?, 5, 1)")
      .bind(tenant.id)
      .run();
    const restore = await snapshotOfD1();
    await tenant.send("DELETE", erased.path());
    const user = await User.withTotp(tenant, erased.externalId);
    await guardOf(user).deliver();
    await restore();
    return { tenant, user };
  }

  /** The actions of the events whose personal parts the trail shows. */
  async function listReadableEvents(tenant: Tenant): Promise<unknown[]> {
    const { body } = await tenant.send("GET", "/v1/audit/events?limit=100");
    const events: { action: string; personal: object | null }[] = body.events;
    return events.flatMap(({ action, personal }) => (personal ? action : [])).toReversed();
  }

  async function expectNothingErased(tenant: Tenant, user: User): Promise<void> {
    const query = `externalUserId=${user.externalId}`;
    const { body } = await tenant.send("GET", `/v1/sentinel/assessments?${query}`);
    expect(body.assessments).toEqual([]);
    expect(await rowsIn(0, "assessments", tenant.id)).toEqual([]);
    const [population] = await rowsIn(0, "populations", tenant.id);
    expect(population?.built_at).toBe(0);
  }

  it("shows nothing of the erased life once the guard has delivered a change", async () => {
    const { tenant, user } = await restoreErasedLife();
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
    await guardOf(user).deliver();
    await expectNothingErased(tenant, user);
    expect(await listReadableEvents(tenant)).toEqual(["otp.verified"]);
    expect((await user.discover()).status).toBe(200);
    await guardOf(user).deliver();
    expect(await rowsIn(0, "assessments", tenant.id)).toHaveLength(1);
  });

  it("is corrected as docs/operations.md describes: the user is provisioned again, and refused", async () => {
    const { tenant, user } = await restoreErasedLife();
    // Until then the restored record has the audit key of the erased life.
    expect(await listReadableEvents(tenant)).toContain("session.assessed");
    const body = { user: { external_id: user.externalId } };
    const again = await tenant.send("POST", "/v1/idp/users", body);
    expect([again.status, again.body.code]).toEqual([409, "user_exists"]);
    await guardOf(user).deliver();
    await expectNothingErased(tenant, user);
    expect(await listReadableEvents(tenant)).toEqual(["user.provisioned"]);
    // A guard that loses its storage finds the new life only.
    await loseStorage(user);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });

  it.each([
    ["a count", true],
    ["the first count", false],
  ])("is counted again although the guard delivers during %s", async (_what, wasCounted) => {
    const { tenant, user } = await restoreErasedLife();
    if (!wasCounted) await env.DB.prepare("DELETE FROM populations").run();
    const put = vi.spyOn(Object.getPrototypeOf(env.IP_REPUTATION), "put");
    put.mockImplementationOnce(async () => {
      await user.verify(user.code(Date.now()));
      await guardOf(user).deliver();
    });
    await publishPopulations(env, Date.now() + 8 * dayMs);
    expect(put).toHaveBeenCalledTimes(1);
    await expectNothingErased(tenant, user);
    await publishPopulations(env, Date.now() + 8 * dayMs + 1);
    const [population] = await rowsIn(0, "populations", tenant.id);
    expect(population).toMatchObject({ built_at: expect.any(Number), logins: 0 });
    expect(population?.built_at).not.toBe(0);
  });

  it("keeps the assessments of everyone else", async () => {
    const { tenant, user } = await restoreErasedLife();
    const other = await User.withTotp(tenant);
    await other.assess();
    await guardOf(other).deliver();
    await user.verify(user.code(Date.now()));
    await other.verify(other.code(Date.now()));
    await Promise.all([guardOf(user).deliver(), guardOf(other).deliver()]);
    const rows = await rowsIn(0, "assessments", tenant.id);
    expect(rows.map(({ identity_id }) => identity_id)).toEqual([other.id]);
  });
});

/** `DB` and `DB_1` are restored to one moment, or one of them to a later moment than the other. */
const moments = [
  "both to the same moment",
  "DB to the later one",
  "DB_1 to the later one",
] as const;

describe.each(moments)("A tenant in DB_1, after a restore of %s", (moment) => {
  async function snapshots(between: () => Promise<unknown>): Promise<() => Promise<void>> {
    const [control, shard1] = databases();
    const isLater = (name: string) => moment === `${name} to the later one`;
    const early = [
      isLater("DB") ? undefined : await snapshotOfD1(control),
      isLater("DB_1") ? undefined : await snapshotOfD1(shard1),
    ];
    await between();
    const late = [
      isLater("DB") ? await snapshotOfD1(control) : undefined,
      isLater("DB_1") ? await snapshotOfD1(shard1) : undefined,
    ];
    return async () => {
      for (const restore of [...early, ...late]) await restore?.();
    };
  }

  it("has no code valid again and no failure lost, and gets its record and trail again", async () => {
    const user = await User.withTotp(await Tenant.create("test", { shard: 1 }));
    const [backup = ""] = await user.backupCodes();
    const restore = await snapshots(() => user.backupCodes());
    const [renewed = ""] = await user.backupCodes();
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    expect((await user.verify(renewed)).status).toBe(200);
    for (let n = 0; n < 3; n += 1) await user.verify(user.wrongCode(Date.now()));
    await guardOf(user).deliver();
    await restore();
    await evict(user);
    // The code that was accepted last counts as no failure.
    for (const spent of [code, renewed, backup])
      expect((await user.verify(spent)).status).toBe(422);
    expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
    await guardOf(user).deliver();
    const { users } = (await user.tenant.send("GET", "/v1/idp/users?status=locked")).body;
    expect(users).toHaveLength(1);
    const failures = await user.tenant.send("GET", "/v1/audit/events?outcome=failure");
    // The guard still has some of the events that D1 has lost, and files them again.
    expect(failures.body.events.length).toBeGreaterThanOrEqual(2);
    expect(failures.body.events.length).toBeLessThanOrEqual(5);
    await user.tenant.send("POST", user.path("/unlock"));
    // The guard's storage is lost too. The record in D1 is newer than the restore by now.
    await loseStorage(user);
    for (const spent of [code, backup, renewed])
      expect((await user.verify(spent)).status).toBe(422);
  });

  it("has no revoked token valid again", async () => {
    const tenant = await Tenant.create("test", { shard: 1 });
    const token = await createToken(tenant);
    const restore = await snapshots(() => createToken(tenant));
    expect((await tenant.send("DELETE", `/v1/tokens/${token.id}`)).status).toBe(204);
    await restore();
    await expectRevoked(token.secret, tenant);
  });
});

describe("DB after a restore to a time before a tenant left it", () => {
  it("is corrected as docs/operations.md describes, and no code is valid again", async () => {
    const user = await User.withTotp(await Tenant.create());
    const { tenant } = user;
    const restore = await snapshotOfD1();
    await relocateFully(tenant, 1);
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    await guardOf(user).deliver();
    const relocationId = await env.DB.prepare("SELECT id FROM relocations WHERE tenant_id = ?")
      .bind(tenant.id)
      .first<string>("id");
    await restore();
    await env.DB.batch([
      env.DB.prepare(
        `INSERT OR REPLACE INTO tenant_fences VALUES ('${tenant.id}', 'left', '${relocationId}')`,
      ),
      env.DB.prepare(`UPDATE tenants SET shard = 1 WHERE id = '${tenant.id}'`),
      env.DB.prepare(
        `INSERT OR REPLACE INTO relocations VALUES ('${tenant.id}', '${relocationId}', 0, 1, 'cleaning', 0, NULL, 0, 0, 0, NULL, NULL)`,
      ),
    ]);
    advanceThirtySeconds();
    await evict(user);
    expect((await user.verify(code)).status).toBe(422);
    await guardOf(user).deliver();
    expect(await user.profile()).toMatchObject({ failed_attempts: 0 });
    const [record] = await rowsIn(1, "identities", tenant.id);
    expect(await rowsIn(1, "audit_events", tenant.id)).toContainEqual(
      expect.objectContaining({ outcome: "success", time_step: expect.any(Number) }),
    );
    const verified = await tenant.send("GET", "/v1/audit/events?action=otp.verified");
    expect(verified.body.events).toHaveLength(2);
    expect((await tenant.send("GET", "/v1/audit/checkpoint")).status).toBe(200);
    // The scheduled job deletes the restored rows, and the tenant may move there again.
    expect(await rowsIn(0, "identities", tenant.id)).toHaveLength(1);
    await finishRelocations(env, Date.now());
    expect(await rowsIn(0, "identities", tenant.id)).toEqual([]);
    await relocateFully(tenant, 0);
    expect(await rowsIn(0, "identities", tenant.id)).toEqual([record]);
    await loseStorage(user);
    expect((await user.verify(code)).body.code).toBe("code_already_used");
  });
});

describe("The token register", () => {
  function registerOf(tenant: Tenant) {
    return env.REGISTER.get(env.REGISTER.idFromName(tenant.id));
  }

  it("that is unavailable fails no revocation, and gets its time in the next run", async () => {
    const tenant = await Tenant.create();
    const token = await createToken(tenant);
    const restore = await snapshotOfD1();
    const unavailable = vi
      .spyOn(Object.getPrototypeOf(env.REGISTER), "get")
      .mockImplementation(() => ({
        keep: () => Promise.reject(new Error("injected")),
        endOf: () => Promise.resolve(null),
      }));
    expect((await tenant.send("DELETE", `/v1/tokens/${token.id}`)).status).toBe(204);
    unavailable.mockRestore();
    expect((await listUsersWith(token.secret)).status).toBe(401);
    await registerAllTokenEnds(env);
    await restore();
    advanceThirtySeconds();
    expect((await listUsersWith(token.secret)).status).toBe(401);
  });

  it("that always fails, with many ends, does not keep the ends of other tenants waiting", async () => {
    const [failing, tenant] = [await Tenant.create(), await Tenant.create()];
    const insert = env.DB.prepare(
      `INSERT INTO api_tokens (id, tenant_id, name, hash, permissions, created_at, revoked_at, end_unregistered)
      SELECT ?1 || value, ?1, 'x', ?1 || value, '[]', 0, 1, 1 FROM json_each(?2)`,
    );
    const many = Array.from({ length: 200 }, (_, n) => n);
    await insert.bind(failing.id, JSON.stringify(many)).run();
    await insert.bind(tenant.id, "[0]").run();
    const failingId = env.REGISTER.idFromName(failing.id);
    const namespace = Object.getPrototypeOf(env.REGISTER);
    const { get } = namespace;
    const spy = vi.spyOn(namespace, "get").mockImplementation(function (this: unknown, ...args) {
      return String(args[0]) === String(failingId)
        ? { keep: () => Promise.reject(new Error("injected")) }
        : get.apply(this, args);
    });
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    for (let run = 0; run < 2; run += 1) await registerAllTokenEnds(env);
    spy.mockRestore();
    error.mockRestore();
    const { results } = await env.DB.prepare(
      "SELECT DISTINCT tenant_id FROM api_tokens WHERE end_unregistered",
    ).all();
    expect(results).toEqual([{ tenant_id: failing.id }]);
    await env.DB.prepare("DELETE FROM api_tokens WHERE tenant_id = ?").bind(failing.id).run();
  });

  it("that is unavailable causes a 503 for a token that is not cached", async () => {
    const tenant = await Tenant.create();
    const token = await createToken(tenant);
    vi.spyOn(Object.getPrototypeOf(env.REGISTER), "get").mockImplementation(() => ({
      endOf: () => Promise.reject(new Error("injected")),
    }));
    expect((await listUsersWith(token.secret)).status).toBe(503);
  });

  it("keeps the earliest end, contains no token, and is empty for a tenant that has ended none", async () => {
    const tenant = await Tenant.create();
    const stub = registerOf(tenant);
    const rows = () =>
      runInDurableObject(stub, (_register, { storage }) =>
        storage.sql
          .exec("SELECT 1 FROM sqlite_master WHERE name = 'ends'")
          .toArray()
          .flatMap(() => storage.sql.exec("SELECT * FROM ends").toArray()),
      );
    await listUsersWith(tenant.token);
    expect(await rows()).toEqual([]);
    const token = await createToken(tenant);
    await tenant.send("POST", `/v1/tokens/${token.id}/rotate`, { token: { overlap_seconds: 60 } });
    const [first] = await rows();
    // D1 knows that the register has it, so the job of the next minute does not send it again.
    expect(await rowsIn(0, "api_tokens", tenant.id)).not.toContainEqual(
      expect.objectContaining({ end_unregistered: 1 }),
    );
    await tenant.send("POST", `/v1/tokens/${token.id}/rotate`, {
      token: { overlap_seconds: 600 },
    });
    expect(await rows()).toEqual([first]);
    await tenant.send("DELETE", `/v1/tokens/${token.id}`);
    expect(await rows()).toEqual([{ ...first, ends_at: 0 }]);
    expect(JSON.stringify(await rows())).not.toContain(token.secret);
  });
});
