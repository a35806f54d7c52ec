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

async function createUser(): Promise<User> {
  return await User.withTotp(await Tenant.create());
}

/** Reads the keys of the answers in the guard's storage. */
async function readAnswers(user: User): Promise<{ key: string }[]> {
  return await runInDurableObject(guardOf(user), (_guard, { storage }) =>
    storage.sql.exec<{ key: string }>("SELECT key FROM answers").toArray(),
  );
}

/** Runs `work` so that the guard verifies once, but its reply is lost on the way. */
async function loseReplies<T>(user: User, work: () => Promise<T>): Promise<T> {
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
  it("of a right code is answered with 200, and no code is spent twice", async () => {
    const user = await createUser();
    const code = user.code(Date.now());
    const first = await loseReplies(user, () => verify(user, code, "login-1"));
    expect([first.status, first.body.code]).toEqual([503, "unavailable"]);
    const retry = await verify(user, code, "login-1");
    expect([retry.status, retry.body.method]).toEqual([200, "totp"]);
    expect((await user.profile()).failed_attempts).toBe(0);
    expect((await verify(user, code, "login-2")).status).toBe(422);
  });

  it("of a wrong code counts one failure", async () => {
    const user = await createUser();
    const code = user.wrongCode(Date.now());
    await loseReplies(user, () => verify(user, code, "login-1"));
    for (let n = 0; n < 7; n += 1) {
      const retry = await verify(user, code, "login-1");
      expect([retry.status, retry.body.attempts_remaining]).toEqual([422, 4]);
    }
    expect((await user.profile()).failed_attempts).toBe(1);
  });

  it("of a backup code spends one code", async () => {
    const user = await createUser();
    const [code = ""] = await user.backupCodes();
    await loseReplies(user, () => verify(user, code, "login-1"));
    const retry = await verify(user, code, "login-1");
    expect([retry.status, retry.body.backup_codes_remaining]).toEqual([200, 9]);
    expect((await user.profile()).backup_codes_remaining).toBe(9);
  });

  it("succeeds after an eviction and without D1", async () => {
    const user = await createUser();
    const code = user.code(Date.now());
    await loseReplies(user, () => verify(user, code, "login-1"));
    await evict(user);
    const retry = await withD1Fault("throws", () => verify(user, code, "login-1"));
    expect(retry.status).toBe(200);
  });
});

describe("An Idempotency-Key of a verification", () => {
  it("covers every spelling of a code, as one request", async () => {
    const user = await createUser();
    const [backup = ""] = await user.backupCodes();
    const code = user.code(Date.now());
    const spellings = [
      ["login-1", `${code.slice(0, 3)} ${code.slice(3)}`, code, user.wrongCode(Date.now())],
      ["login-2", backup.toLowerCase().replace("-", " \u2013 "), backup, "ABCD-1234"],
    ] as const;
    for (const [key, pasted, exact, other] of spellings) {
      const first = await verify(user, pasted, key);
      const again = await verify(user, exact, key);
      expect([first.status, again.status]).toEqual([200, 200]);
      expect(again.body).toEqual(first.body);
      expect(again.headers.get("Idempotent-Replayed")).toBe("true");
      expect((await verify(user, other, key)).body.code).toBe("idempotency_mismatch");
    }
  });

  it("does not replay a refusal: after an unlock, the same request is evaluated", async () => {
    const user = await createUser();
    for (let n = 0; n < 5; n += 1) await user.verify(user.wrongCode(Date.now()));
    const code = user.code(Date.now());
    expect((await verify(user, code, "login-1")).status).toBe(423);
    expect((await user.tenant.send("POST", user.path("/unlock"))).status).toBe(200);
    const unlocked = await verify(user, code, "login-1");
    expect([unlocked.status, unlocked.headers.get("Idempotent-Replayed")]).toEqual([200, null]);
    expect((await verify(user, code, "login-1")).headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("does not replay that TOTP was disabled, the user suspended or no factor configured", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ lockout: { max_failed_attempts: 2, disable_after: 2 } });
    const user = await User.provision(tenant);
    const outcomes: (string | number)[] = [];
    const attempt = async () => {
      const { status, body } = await verify(user, user.code(Date.now()), "login-1");
      outcomes.push(body.code ?? status);
    };
    user.secret = "A".repeat(32);
    await attempt();
    await user.configure();
    for (let n = 0; n < 2; n += 1) await user.verify(user.wrongCode(Date.now()));
    await tenant.send("POST", user.path("/unlock"));
    await attempt();
    await user.configure();
    await tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
    await attempt();
    await tenant.send("PATCH", user.path(), { user: { status: "active" } });
    await attempt();
    expect(outcomes).toEqual(["otp_not_configured", "otp_disabled", "user_suspended", 200]);
  });

  it("replays the failure that locked the user, with the same seconds", async () => {
    const user = await createUser();
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < 4; n += 1) await user.verify(wrong);
    const first = await verify(user, wrong, "login-1");
    expect([first.status, first.body.attempts_remaining]).toEqual([422, 0]);
    await user.tenant.send("POST", user.path("/unlock"));
    const again = await verify(user, wrong, "login-1");
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect((await user.profile()).failed_attempts).toBe(0);
  });

  it("replays that a code was used already, as it replays that a code was wrong", async () => {
    const user = await createUser();
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    const first = await verify(user, code, "login-1");
    expect([first.status, first.body.code]).toEqual([422, "code_already_used"]);
    await user.configure();
    const again = await verify(user, code, "login-1");
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("covers the session of the code", async () => {
    const user = await createUser();
    user.tenant.requestKey = "login-1";
    const code = user.code(Date.now());
    const send = async (context: object) => {
      const otp = { id: user.externalId, code, context };
      const { status, body } = await user.tenant.send("POST", "/v1/idp/otp/verify", { otp });
      return body.code ?? status;
    };
    const context = { ip: "192.0.2.1", ua: null };
    expect([await send(context), await send(context)]).toEqual([200, 200]);
    expect(await send({ ...context, ip: "192.0.2.2" })).toBe("idempotency_mismatch");
  });

  it("covers an agent with lone surrogates, at a login and an assessment", async () => {
    const user = await createUser();
    user.tenant.requestKey = "login-1";
    const code = user.code(Date.now());
    const send = async (path: string, group: object) => {
      const { status, body, headers } = await user.tenant.send("POST", path, group);
      return [body.code ?? status, headers.get("Idempotent-Replayed")];
    };
    const context = { ip: "192.0.2.1", ua: "Agent \ud800" };
    for (const replayed of [null, "true"]) {
      const otp = { id: user.externalId, code, context };
      expect(await send("/v1/idp/otp/verify", { otp })).toEqual([200, replayed]);
      const sentinel = { external_id: user.externalId, context };
      expect(await send("/v1/sentinel/discover", { sentinel })).toEqual([200, replayed]);
    }
    const other = { external_id: user.externalId, context: { ...context, ua: "Agent" } };
    const [mismatch] = await send("/v1/sentinel/discover", { sentinel: other });
    expect(mismatch).toBe("idempotency_mismatch");
  });

  it("covers the purpose and the confirmation", async () => {
    const user = await User.provision(await Tenant.create());
    await user.tenant.setSettings({ otp: { enrolment: "confirm" } });
    await user.configure();
    user.tenant.requestKey = "confirm-1";
    const code = user.code(Date.now());
    for (let n = 0; n < 2; n += 1) {
      expect((await user.confirm(code)).body.enrolment_confirmed).toBe(true);
    }
    expect((await user.verify(code)).body.code).toBe("idempotency_mismatch");
    user.tenant.requestKey = "confirm-2";
    expect((await user.confirm(code)).body.code).toBe("no_pending_enrolment");
    user.tenant.requestKey = undefined;
    await user.configure();
    user.tenant.requestKey = "confirm-2";
    // A refusal is not kept, so the key is free for another request.
    expect((await user.confirm(user.code(Date.now()))).body.enrolment_confirmed).toBe(true);
  });

  it("does not replay a 429, so that a retry after the wait is processed", async () => {
    const user = await createUser();
    const begin = Date.now();
    const wrong = user.wrongCode(begin);
    user.tenant.clock = new Date(begin).toISOString();
    for (let n = 0; n < rateQuotas.attempts.requests; n += 1) await user.verify(wrong);
    expect((await verify(user, wrong, "login-1")).status).toBe(429);
    user.tenant.clock = new Date(begin + 60_000).toISOString();
    expect((await verify(user, wrong, "login-1")).status).toBe(423);
  });

  it("expires after 24 hours, not before", async () => {
    const user = await createUser();
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

  it("leaves nothing behind after its expiry or an erasure", async () => {
    const user = await createUser();
    await verify(user, user.wrongCode(Date.now()), "login-1");
    expect(await readAnswers(user)).toHaveLength(1);
    await fireAlarm(user);
    // The alarm that delivers is not the last one: another one deletes the answer.
    const { alarm } = await inspectGuard(user);
    expect(alarm).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 3_600_000 + 1_000 });
    try {
      await fireAlarm(user);
    } finally {
      vi.useRealTimers();
    }
    expect(await readAnswers(user)).toHaveLength(0);
    await verify(user, user.wrongCode(Date.now()), "login-2");
    expect((await user.tenant.send("DELETE", user.path())).status).toBe(204);
    expect((await inspectGuard(user)).tables).toEqual([]);
  });

  it("is deleted from the guard by an erasure, even while D1 is unreachable", async () => {
    const user = await createUser();
    await verify(user, user.wrongCode(Date.now()), "login-1");
    await withD1Fault("throws", async () => {
      expect((await user.tenant.send("DELETE", user.path())).status).toBe(503);
      expect(await readAnswers(user)).toEqual([]);
    });
  });

  it("is kept only among the newest thousand of one user", async () => {
    const user = await createUser();
    await verify(user, user.wrongCode(Date.now()), "login-1");
    await runInDurableObject(guardOf(user), (_guard, { storage }) => {
      storage.sql.exec(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO answers SELECT 'older-' || i, at, request_id, receipt, result, forget_at - i
         FROM n, answers`,
      );
    });
    await evict(user);
    await verify(user, user.wrongCode(Date.now()), "login-2");
    const keys = (await readAnswers(user)).map(({ key }) => key);
    expect(keys).toHaveLength(1000);
    expect(keys).not.toContain("older-1000");
    expect(keys).toContain("older-998");
    const again = await verify(user, user.wrongCode(Date.now()), "login-1");
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
  });

  it("whose answer was deleted above the bounds is evaluated anew, and what was spent stays spent", async () => {
    const user = await createUser();
    const [backupCode = ""] = await user.backupCodes();
    const codes = [user.code(Date.now()), backupCode];
    for (const code of codes) expect((await verify(user, code, code)).status).toBe(200);
    await runInDurableObject(guardOf(user), (_guard, { storage }) => {
      storage.sql.exec("DELETE FROM answers");
    });
    await evict(user);
    const [totp = ""] = codes;
    for (const [code, answer] of [
      [totp, "invalid_code"],
      [backupCode, "code_already_used"],
    ] as const) {
      const again = await verify(user, code, code);
      expect([again.status, again.body.code]).toEqual([422, answer]);
    }
    expect((await user.profile()).backup_codes_remaining).toBe(9);
  });

  it("that was rate limited is reported once", async () => {
    const user = await createUser();
    user.tenant.clock = new Date().toISOString();
    const wrong = user.wrongCode(Date.now());
    for (let n = 0; n < rateQuotas.attempts.requests; n += 1) await user.verify(wrong);
    const limited = await verify(user, wrong, "login-1");
    expect(limited.status).toBe(429);
    await expectRequestEvents({ tenant: user.tenant, user }, limited.headers.get("X-Request-Id"), [
      "otp.verified refused rate_limited",
    ]);
  });

  it("does not store the answer for an unknown user", async () => {
    const tenant = await Tenant.create();
    const request = {
      token: tenant.token,
      headers: { "Idempotency-Key": "login-1" },
      body: { otp: { id: "later", code: "123456" } },
    };
    expect((await send("POST", "/v1/idp/otp/verify", request)).status).toBe(404);
    await User.withTotp(tenant, "later");
    expect((await send("POST", "/v1/idp/otp/verify", request)).status).toBe(422);
  });

  it("that is lost with the guard's storage leaves the code spent, never accepted again", async () => {
    const user = await createUser();
    const code = user.code(Date.now());
    expect((await verify(user, code, "login-1")).status).toBe(200);
    await guardOf(user).deliver();
    await loseStorage(user);
    expect((await verify(user, code, "login-1")).status).toBe(422);
  });

  it.each(["", " ", "two words", "tab\tbed", "k".repeat(256)])(
    "that is %j is rejected with 400",
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
