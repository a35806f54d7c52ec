/** Promise 4: a token can always be revoked, also while D1 takes no writes. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { awaitWithin } from "../../src/deadline.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { TokenRegister } from "../../src/tenancy/token-register.ts";
import { sendAtOnce, tally } from "../attacks/at-once.ts";
import { type Answer, Tenant } from "../support/client.ts";
import { holdBatchAnswers, withD1Fault } from "../support/d1-faults.ts";
import { snapshotOfD1 } from "../support/d1-snapshot.ts";
import { rowsIn } from "../support/databases.ts";
import { passRequestDeadlines } from "../support/deadlines.ts";
import { holdDeliveries } from "../support/held-deliveries.ts";
import { beforeNextBatchOf, replaceNextBatchOf } from "../support/next-batch.ts";
import { fireObjectAlarm } from "../support/object-alarm.ts";
import { registerOf } from "../support/token-register.ts";
import { withUnwritableDatabase } from "../support/unwritable-database.ts";

let releaseDeliveries: () => void = () => {};

beforeEach(async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  // The alarms of the registers fire only when a test fires them.
  releaseDeliveries = await holdDeliveries();
});

afterEach(() => {
  releaseDeliveries();
  vi.restoreAllMocks();
});

const permissions = ["idp:read", "tokens:write"];

async function createToken(tenant: Tenant): Promise<{ id: string; secret: string }> {
  const token = { name: "stolen", permissions };
  return (await tenant.send("POST", "/v1/tokens", { token })).body.token;
}

async function use(tenant: Tenant, secret: string): Promise<Record<string, number>> {
  return tally([await tenant.send("GET", "/v1/idp/users", undefined, secret)]);
}

function revoke(tenant: Tenant, id: string, secret = tenant.token): Promise<Answer> {
  return tenant.send("DELETE", `/v1/tokens/${id}`, undefined, secret);
}

async function listRevocations(tenant: Tenant): Promise<Answer["body"][]> {
  const { body } = await tenant.send("GET", "/v1/audit/events?action=token.revoked");
  return body.events;
}

async function listTokenIds(tenant: Tenant): Promise<string[]> {
  const { body } = await tenant.send("GET", "/v1/tokens");
  return body.tokens.map(({ id }: Answer["body"]) => id);
}

const refused = { "401 invalid_token": 1 };

describe.each([
  ["in DB", 0],
  ["in another database", 1],
] as const)("While DB is full, a token of a tenant %s", (_, shard) => {
  it("is revoked, and its event follows when D1 takes writes again", async () => {
    const tenant = await Tenant.create("test", { shard });
    const { id, secret } = await createToken(tenant);
    expect(await use(tenant, secret)).toEqual({ 200: 1 });
    await withUnwritableDatabase(async () => {
      expect((await revoke(tenant, id)).status).toBe(204);
      expect(await use(tenant, secret)).toEqual(refused);
      expect((await revoke(tenant, id)).status).toBe(404);
      // The alarm fires in vain.
      await fireObjectAlarm(registerOf(tenant));
    });
    expect(await listTokenIds(tenant)).not.toContain(id);
    expect(await listRevocations(tenant)).toEqual([]);
    await fireObjectAlarm(registerOf(tenant));
    await fireObjectAlarm(registerOf(tenant));
    expect(await listRevocations(tenant)).toMatchObject([{ target: { id } }]);
    expect(await use(tenant, secret)).toEqual(refused);
    invalidateTenant(tenant.id);
    expect(await use(tenant, secret)).toEqual(refused);
  });
});

describe("A token that was revoked while D1 was full", () => {
  it("creates nothing in the moment in which D1 takes writes again, even from an isolate that caches it", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    await use(tenant, secret);
    // The other isolate of this test shares the cache with this one, so the cache must survive.
    const body = { token: { name: "successor", permissions } };
    beforeNextBatchOf(tenant.id, async () => {
      await withUnwritableDatabase(async () => {
        expect((await revoke(tenant, id)).status).toBe(204);
      });
    });
    expect(tally([await tenant.send("POST", "/v1/tokens", body, secret)])).toEqual(refused);
    expect(await rowsIn(0, "api_tokens", tenant.id)).toHaveLength(1);
  });
});

describe("A revocation that D1 fails to record", () => {
  it("is a 503, but the token has ended, and the event follows", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    replaceNextBatchOf(tenant.id, () => Promise.reject(new Error("D1_ERROR: injected")));
    expect((await revoke(tenant, id)).status).toBe(503);
    expect(await use(tenant, secret)).toEqual(refused);
    await fireObjectAlarm(registerOf(tenant));
    expect(await listRevocations(tenant)).toMatchObject([{ target: { id } }]);
    expect((await revoke(tenant, id)).status).toBe(404);
    expect(await listRevocations(tenant)).toHaveLength(1);
  });

  it("can be repeated, and has one event", async () => {
    const tenant = await Tenant.create();
    const { id } = await createToken(tenant);
    replaceNextBatchOf(tenant.id, () => Promise.reject(new Error("D1_ERROR: injected")));
    expect((await revoke(tenant, id)).status).toBe(503);
    expect((await revoke(tenant, id)).status).toBe(204);
    await fireObjectAlarm(registerOf(tenant));
    expect(await listRevocations(tenant)).toHaveLength(1);
  });

  it("has one event if only the reply was lost", async () => {
    const tenant = await Tenant.create();
    const { id } = await createToken(tenant);
    replaceNextBatchOf(tenant.id, async (real) => {
      await real();
      throw new Error("D1_ERROR: injected after commit");
    });
    expect((await revoke(tenant, id)).status).toBe(503);
    expect((await revoke(tenant, id)).status).toBe(404);
    await fireObjectAlarm(registerOf(tenant));
    expect(await listRevocations(tenant)).toHaveLength(1);
  });
});

describe("The alarm of the token register", () => {
  it("sends a revocation once to a D1 that answers later than a request waits", async () => {
    const tenant = await Tenant.create();
    const { id } = await createToken(tenant);
    const failed = await withD1Fault("fails on batches only", () => revoke(tenant, id));
    expect(failed.status).toBe(503);
    const held = holdBatchAnswers(id);
    passRequestDeadlines();
    const alarm = fireObjectAlarm(registerOf(tenant));
    await vi.waitFor(() => expect(held.count).toBe(1), { timeout: 20_000, interval: 5 });
    // A deadline of a request passes in the meantime.
    await expect(awaitWithin(2_000, new Promise(() => {}))).rejects.toThrow();
    held.release();
    await alarm;
    expect(await fireObjectAlarm(registerOf(tenant))).toBe(false);
    expect(held.count).toBe(1);
    vi.restoreAllMocks();
    expect(await listRevocations(tenant)).toHaveLength(1);
  });
});

describe("Two revocations at once", () => {
  it("of one token are one event", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    const answers = await sendAtOnce(5, () => revoke(tenant, id));
    expect(tally(answers)).toEqual({ 204: 1, "404 not_found": 4 });
    await fireObjectAlarm(registerOf(tenant));
    expect(await listRevocations(tenant)).toHaveLength(1);
    expect(await use(tenant, secret)).toEqual(refused);
  });

  it("of two tokens by each other leave one of them", async () => {
    const tenant = await Tenant.create();
    const [one, two] = [await createToken(tenant), await createToken(tenant)];
    const answers = await Promise.all([
      revoke(tenant, two.id, one.secret),
      revoke(tenant, one.id, two.secret),
    ]);
    expect(tally(answers)).toEqual({ 204: 1, "401 invalid_token": 1 });
    expect(await listRevocations(tenant)).toHaveLength(1);
    expect(await listTokenIds(tenant)).toHaveLength(2);
  });
});

describe("A token that was revoked before D1 was restored", () => {
  it("can be revoked again, so that the list and the trail state it", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    const restore = await snapshotOfD1();
    expect((await revoke(tenant, id)).status).toBe(204);
    await restore();
    invalidateTenant(tenant.id);
    expect(await use(tenant, secret)).toEqual(refused);
    expect(await listTokenIds(tenant)).toContain(id);
    expect((await revoke(tenant, id)).status).toBe(204);
    expect(await listTokenIds(tenant)).not.toContain(id);
    expect(await listRevocations(tenant)).toHaveLength(1);
  });
});

describe("The outbox of the token register", () => {
  it("is empty after a revocation that D1 recorded", async () => {
    const tenant = await Tenant.create();
    const { id } = await createToken(tenant);
    await revoke(tenant, id);
    expect(await registerOf(tenant).confirm("unknown")).toBeUndefined();
    const waiting = await runInDurableObject(registerOf(tenant), (_register, { storage }) =>
      storage.sql.exec("SELECT * FROM outbox").toArray(),
    );
    expect(waiting).toEqual([]);
  });
});

describe("The last token with tokens:write", () => {
  const last = { "409 last_token": 1 };

  async function listTokens(tenant: Tenant): Promise<Answer["body"][]> {
    return (await tenant.send("GET", "/v1/tokens")).body.tokens;
  }

  it("cannot be revoked, whatever other tokens there are, until another has the permission", async () => {
    const tenant = await Tenant.create();
    const [{ id }] = await listTokens(tenant);
    await tenant.tokenWith(["idp:write", "settings:write"]);
    const refusal = await revoke(tenant, id);
    expect(tally([refusal])).toEqual(last);
    expect(refusal.body.error).toContain("rotate it, or make another first");
    expect(await use(tenant, tenant.token)).toEqual({ 200: 1 });
    const { secret } = await createToken(tenant);
    expect((await revoke(tenant, id)).status).toBe(204);
    expect(await use(tenant, secret)).toEqual({ 200: 1 });
  });

  it("does not become revocable by a token that has expired, in real time or at the request's time", async () => {
    const tenant = await Tenant.create();
    const [{ id }] = await listTokens(tenant);
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const token = { name: "short", permissions, expires_at };
    const { body } = await tenant.send("POST", "/v1/tokens", { token });
    tenant.clock = expires_at;
    expect(tally([await revoke(tenant, id)])).toEqual(last);
    tenant.clock = undefined;
    await env.DB.prepare("UPDATE api_tokens SET expires_at = 1 WHERE id = ?")
      .bind(body.token.id)
      .run();
    expect(tally([await revoke(tenant, id)])).toEqual(last);
  });

  it("can be rotated, and its successor is then the last one", async () => {
    const tenant = await Tenant.create();
    const [{ id }] = await listTokens(tenant);
    const overlap = { token: { overlap_seconds: 60 } };
    const { body } = await tenant.send("POST", `/v1/tokens/${id}/rotate`, overlap);
    const { id: successorId, secret } = body.token;
    expect((await revoke(tenant, id, secret)).status).toBe(204);
    expect(tally([await revoke(tenant, successorId, secret)])).toEqual(last);
  });

  it("is not rotated at a time at which its successor has expired already", async () => {
    const tenant = await Tenant.create();
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const token = { name: "short", permissions, expires_at };
    const { body } = await tenant.send("POST", "/v1/tokens", { token });
    tenant.clock = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const path = `/v1/tokens/${body.token.id}/rotate`;
    const answer = await tenant.send("POST", path, { token: {} }, body.token.secret);
    expect(answer.body.issues).toMatchObject([{ path: "Test-Clock" }]);
    tenant.clock = undefined;
    expect(await use(tenant, body.token.secret)).toEqual({ 200: 1 });
  });

  it("remains when two tokens revoke themselves at the same time", async () => {
    const tenant = await Tenant.create();
    const [{ id }] = await listTokens(tenant);
    const other = await createToken(tenant);
    const answers = await Promise.all([revoke(tenant, id), revoke(tenant, other.id, other.secret)]);
    expect(tally(answers)).toEqual({ 204: 1, ...last });
  });

  it("remains when the register records another revocation while it reads the tokens", async () => {
    const tenant = await Tenant.create();
    const [{ id }] = await listTokens(tenant);
    const other = await createToken(tenant);
    const successor = await createToken(tenant);
    const meanwhile = async () => {
      // As a rotation does it, whose end the register does not have yet.
      await env.DB.prepare("UPDATE api_tokens SET expires_at = 1 WHERE id = ?")
        .bind(other.id)
        .run();
      expect((await revoke(tenant, successor.id, successor.secret)).status).toBe(204);
    };
    const { revoke: decide } = TokenRegister.prototype;
    const statements = Object.getPrototypeOf(env.DB.prepare("SELECT 1").bind());
    const { raw } = statements;
    vi.spyOn(TokenRegister.prototype, "revoke").mockImplementationOnce(async function (
      this: TokenRegister,
      ...args
    ) {
      vi.spyOn(statements, "raw").mockImplementationOnce(async function (this: unknown, ...parts) {
        const rows = await raw.apply(this, parts);
        await meanwhile();
        return rows;
      });
      return await decide.apply(this, args);
    });
    expect(tally([await revoke(tenant, id)])).toEqual(last);
  });

  it("cannot revoke itself without the token register, which decides", async () => {
    const tenant = await Tenant.create();
    const { id, secret } = await createToken(tenant);
    vi.spyOn(TokenRegister.prototype, "revoke").mockResolvedValue(undefined);
    expect((await revoke(tenant, id, secret)).status).toBe(503);
    expect((await revoke(tenant, id)).status).toBe(204);
  });
});
