import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { codeFor } from "../support/authenticator.ts";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { withSilentSender } from "../support/deadlines.ts";
import { evict } from "../support/guard.ts";

function countStatus(answers: readonly Answer[], status: number): number {
  return answers.filter((answer) => answer.status === status).length;
}

async function sendAtOnce(
  n: number,
  request: (index: number) => Promise<Answer>,
): Promise<Answer[]> {
  return await Promise.all(Array.from({ length: n }, (_, index) => request(index)));
}

describe.each([
  { name: "on a guard that stays in memory", moved: false },
  { name: "on a guard that was evicted just before", moved: true },
])("Races $name", ({ moved }) => {
  const settle = async (user: User) => {
    if (moved) await evict(user);
  };

  it("60 concurrent wrong codes are five evaluated attempts and a lock", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    await settle(user);
    const answers = await sendAtOnce(60, () => user.verify(wrong));
    expect(countStatus(answers, 422)).toBe(5);
    expect(countStatus(answers, 423)).toBe(55);
    expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
  });

  it("60 wrong codes with an eviction in between are still five evaluated attempts", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    await settle(user);
    const first = await sendAtOnce(3, () => user.verify(wrong));
    await evict(user);
    const rest = await sendAtOnce(57, () => user.verify(wrong));
    expect(countStatus([...first, ...rest], 422)).toBe(5);
    expect(countStatus([...first, ...rest], 423)).toBe(55);
  });

  it("40 concurrent requests with the same right code are accepted once", async () => {
    const user = await User.withTotp(await Tenant.create());
    const code = user.code(Date.now());
    await settle(user);
    const answers = await sendAtOnce(40, () => user.verify(code));
    expect(countStatus(answers, 200)).toBe(1);
    expect(countStatus(answers, 422) + countStatus(answers, 423)).toBe(39);
  });

  it("the codes of five authenticators are accepted once each, and a sixth is never added", async () => {
    const user = await User.withTotp(await Tenant.create());
    const labels = { issuer_name: "Acme", account_name: "alexander" };
    const answers = await sendAtOnce(8, () =>
      user.tenant.send("POST", user.path("/authenticators"), { authenticator: labels }),
    );
    expect(countStatus(answers, 201)).toBe(4);
    expect(countStatus(answers, 409)).toBe(4);
    const now = Date.now();
    const added = answers.flatMap(({ body }) => body.authenticator ?? []);
    const codes = [user.code(now), ...added.map((one) => codeFor(one.new_otp_secret, now))];
    await settle(user);
    const verified = await sendAtOnce(10, (index) => user.verify(codes[index % 5] ?? ""));
    expect(countStatus(verified, 200)).toBe(5);
    expect(countStatus(verified, 422)).toBe(5);
  });

  it("wrong codes share one counter, however many authenticators the user has", async () => {
    const user = await User.withTotp(await Tenant.create());
    await user.addAuthenticator({ digits: 8 });
    const wrong = [user.wrongCode(Date.now()), "00000000"];
    await settle(user);
    const answers = await sendAtOnce(30, (index) => user.verify(wrong[index % 2]));
    expect(countStatus(answers, 422)).toBe(5);
    expect(countStatus(answers, 423)).toBe(25);
  });

  it("a right code is not accepted again after an eviction", async () => {
    const user = await User.withTotp(await Tenant.create());
    const code = user.code(Date.now());
    expect((await user.verify(code)).status).toBe(200);
    await evict(user);
    expect((await user.verify(code)).body.code).toBe("code_already_used");
  });

  it("a backup code that is sent in two spellings at once is accepted once", async () => {
    const user = await User.withTotp(await Tenant.create());
    const [code = ""] = await user.backupCodes();
    await settle(user);
    const spellings = [code, code.toLowerCase().replace("-", "")];
    const answers = await Promise.all(spellings.map((spelling) => user.verify(spelling)));
    expect(countStatus(answers, 200)).toBe(1);
    expect(countStatus(answers, 422)).toBe(1);
    expect((await user.profile()).backup_codes_remaining).toBe(9);
  });

  it("a spent backup code stays spent after an eviction", async () => {
    const user = await User.withTotp(await Tenant.create());
    const [code] = await user.backupCodes();
    expect((await user.verify(code)).status).toBe(200);
    await evict(user);
    expect((await user.verify(code)).status).toBe(422);
  });

  it("a backup code that is sent during a replacement of the set is spent before it or rejected after it", async () => {
    const user = await User.withTotp(await Tenant.create());
    const old = await user.backupCodes();
    await settle(user);
    const [used, fresh] = await Promise.all([user.verify(old[0]), user.backupCodes()]);
    expect([200, 422]).toContain(used.status);
    expect((await user.verify(old[1])).status).toBe(422);
    expect((await user.verify(fresh[0])).status).toBe(200);
  });

  it("20 concurrent provisions of one external_id create one identity", async () => {
    const tenant = await Tenant.create();
    const answers = await sendAtOnce(20, () =>
      tenant.send("POST", "/v1/idp/users", { user: { external_id: "one" } }),
    );
    expect(countStatus(answers, 201)).toBe(1);
    expect(countStatus(answers, 409)).toBe(19);
  });

  it("a code that is sent during configure leaves only one live secret", async () => {
    const user = await User.withTotp(await Tenant.create());
    const now = Date.now();
    const oldCode = user.code(now);
    await settle(user);
    const [verified] = await Promise.all([user.verify(oldCode), user.configure()]);
    expect([200, 422]).toContain(verified.status);
    expect((await user.verify(oldCode)).status).toBe(422);
    expect((await user.verify(user.code(Date.now()))).status).toBe(200);
  });
});

describe("Provisioning during erasure", () => {
  it("answers 201 or 409, as the identity then exists or not", async () => {
    const tenant = await Tenant.create();
    for (let round = 0; round < 10; round += 1) {
      const user = await User.provision(tenant, `racer ${round}`);
      const request = { user: { external_id: user.externalId } };
      const provision = () => tenant.send("POST", "/v1/idp/users", request);
      const erase = () => tenant.send("DELETE", user.path());
      const order = [erase, provision, erase, provision, erase, provision];
      const answers = await Promise.all(order.map((act) => act()));
      for (const [index, { status }] of answers.entries()) {
        expect(order[index] === erase ? [204, 404] : [201, 409]).toContain(status);
      }
      const exists = (await tenant.send("GET", user.path())).status === 200;
      expect((await provision()).status).toBe(exists ? 409 : 201);
    }
  });
});

describe("A request body that is held back", () => {
  /** Sends the head of a request at once, and the body when `release` is called. */
  function holdBody(path: string, token: string, body: object) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const answer = exports.default.fetch(
      new Request(`https://idp.test${path}`, {
        method: "POST",
        body: readable,
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      }),
    );
    const release = async () => {
      await writer.write(new TextEncoder().encode(JSON.stringify(body)));
      await writer.close();
    };
    return { answer, release };
  }

  it("does not choose the time at which its request runs", async () => {
    const tenant = await Tenant.create("live");
    await tenant.setSettings({ lockout: { lock_seconds: 3, max_lock_seconds: 3 } });
    const user = await User.withTotp(tenant);
    const code = user.wrongCode(Date.now());
    const fifth = holdBody("/v1/idp/otp/verify", tenant.token, {
      otp: { id: user.externalId, code },
    });
    await scheduler.wait(2_500);
    for (let n = 0; n < 4; n += 1) expect((await user.verify(code)).status).toBe(422);
    const before = Date.now();
    await fifth.release();
    const { locked_until } = await (await fifth.answer).json<{ locked_until: string }>();
    expect(Date.parse(locked_until)).toBeGreaterThanOrEqual(before + 3_000);
  });

  it("does not outlive the token of its request", async () => {
    const tenant = await Tenant.create("live");
    const token = await tenant.tokenWith(["idp:write"]);
    const user = await User.withTotp(tenant);
    const body = { otp: { id: user.externalId, code: user.code(Date.now()) } };
    const late = holdBody("/v1/idp/otp/verify", token, body);
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    expect((await tenant.send("DELETE", `/v1/tokens/${tokens[1].id}`)).status).toBe(204);
    await late.release();
    expect((await late.answer).status).toBe(401);
  });

  it("ends the request after a few seconds", async () => {
    const tenant = await Tenant.create("live");
    const answer = await withSilentSender(() => holdBody("/v1/idp/users", tenant.token, {}).answer);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "invalid_request" });
  });
});

describe("Requests with five tokens and forged addresses", () => {
  it("share one counter", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const tokens = await Promise.all(
      Array.from({ length: 5 }, () => tenant.tokenWith(["idp:write"])),
    );
    const code = user.wrongCode(Date.now());
    const answers = await sendAtOnce(30, (index) =>
      send("POST", "/v1/idp/otp/verify", {
        token: tokens[index % 5],
        headers: { "X-Forwarded-For": `203.0.113.${index}`, "CF-Connecting-IP": `9.9.9.${index}` },
        body: { otp: { id: user.externalId, code } },
      }),
    );
    expect(countStatus(answers, 422)).toBe(5);
  });
});
