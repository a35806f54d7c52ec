import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { rateQuotas } from "../../src/guard/decisions/rate-limit.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { evict, fireAlarm, guardOf, inspectGuard, loseStorage } from "../support/guard.ts";
import { expectRequestEvents } from "../support/request-events.ts";

function verify(user: User, code: string, key: string): Promise<Answer> {
  return send("POST", "/v1/idp/otp/verify", {
    token: user.tenant.token,
    headers: {
      "Idempotency-Key": key,
      ...(user.tenant.clock === undefined ? {} : { "Test-Clock": user.tenant.clock }),
    },
    body: { otp: { id: user.externalId, code } },
  });
}

async function newUser(): Promise<User> {
  return await User.withTotp(await Tenant.create());
}

/** Answers in the guard's storage. */
async function keptOf(user: User): Promise<{ key: string }[]> {
  return await runInDurableObject(guardOf(user), (_guard, { storage }) =>
    storage.sql.exec<{ key: string }>("SELECT key FROM answers").toArray(),
  );
}

/** Has the guard do its work and the reply to it get lost on the way. */
async function losingReplies<T>(user: User, work: () => Promise<T>): Promise<T> {
  const lost = vi.spyOn(Object.getPrototypeOf(env.GUARD), "get").mockImplementation(() => ({
    verify: async (...call: Parameters<ReturnType<typeof guardOf>["verify"]>) => {
      lost.mockRestore();
      await guardOf(user).verify(...call);
      throw new Error("injected: the reply is lost");
    },
  }));
  try {
    return await work();
  } finally {
    lost.mockRestore();
  }
}

describe("A retry after a lost reply", () => {
  it("of a right code is answered 200, and no code is spent twice", async () => {
    const user = await newUser();
    const code = user.code(Date.now());
    const first = await losingReplies(user, () => verify(user, code, "login-1"));
    expect([first.status, first.body.code]).toEqual([503, "unavailable"]);
    const retry = await verify(user, code, "login-1");
    expect([retry.status, retry.body.method]).toEqual([200, "totp"]);
    expect((await user.profile()).failed_attempts).toBe(0);
    expect((await verify(user, code, "login-2")).status).toBe(422);
  });

  it("of a wrong code counts one failure", async () => {
    const user = await newUser();
    const code = user.wrongCode(Date.now());
    await losingReplies(user, () => verify(user, code, "login-1"));
    for (let n = 0; n < 7; n += 1) {
      const retry = await verify(user, code, "login-1");
      expect([retry.status, retry.body.attempts_remaining]).toEqual([422, 4]);
    }
    expect((await user.profile()).failed_attempts).toBe(1);
  });

  it("of a backup code spends one", async () => {
    const user = await newUser();
    const [code = ""] = await user.backupCodes();
    await losingReplies(user, () => verify(user, code, "login-1"));
    const retry = await verify(user, code, "login-1");
    expect([retry.status, retry.body.backup_codes_remaining]).toEqual([200, 9]);
    expect((await user.profile()).backup_codes_remaining).toBe(9);
  });

  it("holds over an eviction, and without D1", async () => {
    const user = await newUser();
    const code = user.code(Date.now());
    await losingReplies(user, () => verify(user, code, "login-1"));
    await evict(user);
    const retry = await withD1Fault("throws", () => verify(user, code, "login-1"));
    expect(retry.status).toBe(200);
  });
});

describe("An Idempotency-Key of a verification", () => {
  it("keeps a refusal too: the same seconds, and nothing counted", async () => {
    const user = await newUser();
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 5; n += 1) await user.verify(wrong);
    user.tenant.clock = new Date(Date.now() + 10_000).toISOString();
    const first = await verify(user, wrong, "login-1");
    expect(first.status).toBe(423);
    user.tenant.clock = new Date(Date.now() + 3_600_000).toISOString();
    const again = await verify(user, wrong, "login-1");
    expect({ status: again.status, body: again.body }).toEqual({
      status: first.status,
      body: first.body,
    });
    expect(again.headers.get("Retry-After")).toBe(first.headers.get("Retry-After"));
  });

  it("does not keep a 429: who waits as told is heard", async () => {
    const user = await newUser();
    const begin = Date.now();
    const wrong = user.wrongCode(begin);
    user.tenant.clock = new Date(begin).toISOString();
    for (let n = 0; n < rateQuotas.attempts.requests; n += 1) await user.verify(wrong);
    expect((await verify(user, wrong, "login-1")).status).toBe(429);
    user.tenant.clock = new Date(begin + 60_000).toISOString();
    expect((await verify(user, wrong, "login-1")).status).toBe(423);
  });

  it("is forgotten after 24 hours, not before", async () => {
    const user = await newUser();
    const begin = Date.now();
    const wrong = user.wrongCode(begin);
    await verify(user, wrong, "login-1");
    user.tenant.clock = new Date(begin + 24 * 3_600_000 - 5_000).toISOString();
    expect((await verify(user, wrong, "login-1")).headers.get("Idempotent-Replayed")).toBe("true");
    user.tenant.clock = new Date(begin + 24 * 3_600_000 + 5_000).toISOString();
    const later = await verify(user, user.wrongCode(begin + 24 * 3_600_000), "login-1");
    expect(later.headers.get("Idempotent-Replayed")).toBeNull();
    expect([later.status, later.body.attempts_remaining]).toEqual([422, 3]);
  });

  it("leaves nothing behind when its time is over, nor after an erasure", async () => {
    const user = await newUser();
    await verify(user, user.wrongCode(Date.now()), "login-1");
    expect(await keptOf(user)).toHaveLength(1);
    await fireAlarm(user);
    // The alarm that delivers is not the last one: one comes for the answer.
    const { alarm } = await inspectGuard(user);
    expect(alarm).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 3_600_000 + 1_000 });
    try {
      await fireAlarm(user);
    } finally {
      vi.useRealTimers();
    }
    expect(await keptOf(user)).toHaveLength(0);
    await verify(user, user.wrongCode(Date.now()), "login-2");
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect((await inspectGuard(user)).tables).toEqual([]);
  });

  it("is gone from the guard with the erasure, though D1 cannot be told yet", async () => {
    const user = await newUser();
    await verify(user, user.wrongCode(Date.now()), "login-1");
    await withD1Fault("throws", async () => {
      expect((await user.tenant.send("DELETE", user.path())).status).toBe(503);
      expect(await keptOf(user)).toEqual([]);
    });
  });

  it("keeps no more than the newest thousand of one user", async () => {
    const user = await newUser();
    await verify(user, user.wrongCode(Date.now()), "login-1");
    await runInDurableObject(guardOf(user), (_guard, { storage }) => {
      storage.sql.exec(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO answers SELECT 'older-' || i, at, request_id, receipt, result, forget_at - i
         FROM n, answers`,
      );
    });
    await verify(user, user.wrongCode(Date.now()), "login-2");
    const keys = (await keptOf(user)).map(({ key }) => key);
    expect(keys).toHaveLength(1000);
    expect(keys).not.toContain("older-1000");
    expect(keys).toContain("older-998");
    const again = await verify(user, user.wrongCode(Date.now()), "login-1");
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("that was limited is told of once", async () => {
    const user = await newUser();
    user.tenant.clock = new Date().toISOString();
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < rateQuotas.attempts.requests; n += 1) await user.verify(wrong);
    const limited = await verify(user, wrong, "login-1");
    expect(limited.status).toBe(429);
    await expectRequestEvents({ tenant: user.tenant, user }, limited.headers.get("X-Request-Id"), [
      "otp.verified refused rate_limited",
    ]);
  });

  it("does not make an unknown user known, and its answer is not kept", async () => {
    const tenant = await Tenant.create();
    const nobody = {
      token: tenant.token,
      headers: { "Idempotency-Key": "login-1" },
      body: { otp: { id: "later", code: "123456" } },
    };
    expect((await send("POST", "/v1/idp/otp/verify", nobody)).status).toBe(404);
    await User.withTotp(tenant, "later");
    expect((await send("POST", "/v1/idp/otp/verify", nobody)).status).toBe(422);
  });

  it("lost with the guard's storage makes the code a spent one, never a second success", async () => {
    const user = await newUser();
    const code = user.code(Date.now());
    expect((await verify(user, code, "login-1")).status).toBe(200);
    await guardOf(user).deliver();
    await loseStorage(user);
    expect((await verify(user, code, "login-1")).status).toBe(422);
  });

  it.each(["", " ", "two words", "tab\tbed", "k".repeat(256)])(
    "that is %j is a 400",
    async (key) => {
      const tenant = await Tenant.create();
      const answer = await send("POST", "/v1/tokens", {
        token: tenant.token,
        headers: { "Idempotency-Key": key },
        body: { token: { name: "t", permissions: ["idp:read"] } },
      });
      expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
      expect((await tenant.send("GET", "/v1/tokens")).body.tokens).toHaveLength(1);
    },
  );
});
