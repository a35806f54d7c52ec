/** Promise 1: the number of evaluated guesses is bounded, however they are sent. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { evict } from "../support/guard.ts";
import { sendAtOnce, tally } from "./at-once.ts";
import { tenantLocations } from "./tenant-locations.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const start = Date.parse("2026-03-01T12:00:00Z");
const wrongBackupCode = "ZZZZ-9999";

function setClock(tenant: Tenant, time: number): void {
  tenant.clock = new Date(time).toISOString();
}

async function guess(user: User, code: string, token: string, index: number): Promise<Answer> {
  return await send("POST", "/v1/idp/otp/verify", {
    token,
    headers: {
      "X-Forwarded-For": `203.0.113.${index}`,
      "X-Real-IP": `198.51.100.${index}`,
      "CF-Connecting-IP": `192.0.2.${index}`,
      Forwarded: `for=203.0.113.${index}`,
      "User-Agent": `agent-${index}`,
    },
    body: { otp: { id: user.externalId, code } },
  });
}

describe.each(
  tenantLocations.flatMap((location) => [
    { ...location, guard: "that stays in memory", moves: false },
    { ...location, guard: "that is evicted before and between the requests", moves: true },
  ]),
)(
  "Promise 1, for a tenant $location and a guard $guard",
  ({ tenant: create, begin, meanwhile, moves }) => {
    it("evaluates five of 100 concurrent guesses of both factors, with five tokens and from 100 addresses", async () => {
      const tenant = await create();
      const user = await User.withTotp(tenant);
      await user.backupCodes();
      const tokens = await Promise.all(
        Array.from({ length: 5 }, () => tenant.tokenWith(["idp:write"])),
      );
      await begin(tenant);
      const wrong = user.wrongCode(Date.now());
      const sendGuesses = async (from: number, n: number) =>
        await sendAtOnce(n, (index) =>
          guess(
            user,
            index % 2 === 0 ? wrong : wrongBackupCode,
            tokens[index % 5] ?? "",
            from + index,
          ),
        );
      if (moves) await evict(user);
      const first = await sendGuesses(0, 3);
      if (moves) await evict(user);
      const [others] = await Promise.all([sendGuesses(3, 97), meanwhile(tenant)]);
      expect(tally([...first, ...others])).toEqual({
        "422 invalid_code": 5,
        "423 user_locked": 95,
      });
      expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
    });

    it("allows at most one more round when a right code is among concurrent wrong ones", async () => {
      const tenant = await create();
      const user = await User.withTotp(tenant);
      await begin(tenant);
      const now = Date.now();
      const [right, wrong] = [user.code(now), user.wrongCode(now)];
      if (moves) await evict(user);
      const [answers] = await Promise.all([
        sendAtOnce(40, (index) => user.verify(index === 3 ? right : wrong)),
        meanwhile(tenant),
      ]);
      const counts = tally(answers);
      const wasAccepted = counts["200"] ?? 0;
      expect(wasAccepted).toBeLessThanOrEqual(1);
      // Up to four failures can precede a success, and five after it lock the user.
      expect(counts["422 invalid_code"]).toBeGreaterThanOrEqual(5);
      expect(counts["422 invalid_code"]).toBeLessThanOrEqual(5 + 4 * wasAccepted);
      expect(await user.profile()).toMatchObject({ failed_attempts: 5, is_locked: true });
    });
  },
);

describe("Promise 1, over time", () => {
  it("disables TOTP after 100 guesses in a row, and neither time nor an unlock enables it again", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const [backup] = await user.backupCodes();
    let now = start;
    let evaluated = 0;
    for (let round = 0; round < 20; round += 1) {
      setClock(tenant, now);
      const wrong = user.wrongCode(now);
      const counts = tally(await sendAtOnce(7, () => user.verify(wrong)));
      evaluated += counts["422 invalid_code"] ?? 0;
      const refused = (counts["423 user_locked"] ?? 0) + (counts["423 otp_disabled"] ?? 0);
      expect(refused).toBe(2);
      now += 86_400_000;
    }
    expect(evaluated).toBe(100);
    setClock(tenant, now);
    expect((await user.profile()).failed_attempts).toBe(100);
    expect((await user.verify(user.code(now))).body.code).toBe("otp_disabled");
    expect((await user.verify(backup)).body.code).toBe("otp_disabled");
    expect((await tenant.send("POST", user.path("/unlock"))).status).toBe(200);
    expect((await user.verify(user.code(now))).body.code).toBe("otp_disabled");
    await evict(user);
    expect(await user.verify(user.code(now))).toMatchObject({
      status: 423,
      body: { code: "otp_disabled" },
    });
    await user.configure();
    expect((await user.verify(user.code(now))).status).toBe(200);
  });

  it("allows five guesses per lock, and each lock lasts twice as long as the one before", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    let now = start;
    for (const [round, seconds] of [900, 1_800, 3_600, 7_200].entries()) {
      setClock(tenant, now);
      const wrong = user.wrongCode(now);
      const answers = await sendAtOnce(12, () => user.verify(wrong));
      expect(tally(answers)).toEqual({ "422 invalid_code": 5, "423 user_locked": 7 });
      const { failed_attempts, locked_until } = await user.profile();
      expect(failed_attempts).toBe(5 * (round + 1));
      expect(Date.parse(locked_until)).toBe(now + seconds * 1_000);
      now += seconds * 1_000;
    }
  });

  it("applies a tenant's stricter policy to concurrent guesses too", async () => {
    const tenant = await Tenant.create();
    await tenant.setSettings({ lockout: { max_failed_attempts: 3 } });
    const user = await User.withTotp(tenant);
    const wrong = user.wrongCode(Date.now());
    const answers = await sendAtOnce(30, () => user.verify(wrong));
    expect(tally(answers)).toEqual({ "422 invalid_code": 3, "423 user_locked": 27 });
  });
});
