/** Promise 6: each attempt and each act gets its event, and a flood gets a few events that count it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Answer, send, Tenant, User } from "../support/client.ts";
import { expectRequestEvents, readRequestEvents } from "../support/request-events.ts";
import { sendAtOnce, tally } from "./at-once.ts";
import { fixedLocations } from "./tenant-locations.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const start = Date.parse("2026-03-01T12:00:00Z");

interface World {
  readonly tenant: Tenant;
  readonly user: User;
}

interface Act {
  readonly act: (world: World) => Promise<Answer>;
  readonly given?: (world: World) => Promise<unknown>;
  readonly expectedEvents: readonly string[];
}

const setStatus =
  (status: string) =>
  async ({ tenant, user }: World) =>
    await tenant.send("PATCH", user.path(), { user: { status } });
const wrong = async ({ user }: World) => await user.verify(user.wrongCode(start));
const right = async ({ user }: World) => await user.verify(user.code(start));
const fail = (times: number) => async (world: World) => {
  for (let n = 0; n < times; n += 1) await wrong(world);
};

const acts: Record<string, Act> = {
  "a right code": { act: right, expectedEvents: ["otp.verified success"] },
  "a wrong code": { act: wrong, expectedEvents: ["otp.verified failure invalid_code"] },
  "a replayed code": {
    given: async ({ user }) => {
      await user.verify(user.code(start));
      await user.verify((await user.backupCodes())[0]);
    },
    act: right,
    expectedEvents: ["otp.verified failure replayed_code"],
  },
  "the code accepted last": {
    given: right,
    act: right,
    expectedEvents: ["otp.verified refused code_already_used"],
  },
  "a wrong backup code": {
    act: async ({ user }) => await user.verify("ZZZZ-9999"),
    expectedEvents: ["otp.verified failure invalid_code"],
  },
  "the fifth wrong code": {
    given: fail(4),
    act: wrong,
    expectedEvents: ["otp.verified failure invalid_code", "user.locked success too_many_failures"],
  },
  "a code during a lock": {
    given: fail(5),
    act: right,
    expectedEvents: ["otp.verified refused user_locked"],
  },
  "a code of a suspended user": {
    given: setStatus("suspended"),
    act: right,
    expectedEvents: ["otp.verified refused user_suspended"],
  },
  "the last failure allowed": {
    given: async ({ tenant }) =>
      await tenant.setSettings({ lockout: { max_failed_attempts: 1, disable_after: 1 } }),
    act: wrong,
    expectedEvents: [
      "otp.verified failure invalid_code",
      "user.locked success too_many_failures",
      "otp.disabled success too_many_failures",
    ],
  },
  "an unlock": {
    act: async ({ tenant, user }) => await tenant.send("POST", user.path("/unlock")),
    expectedEvents: ["user.unlocked success"],
  },
  "a new secret": {
    act: async ({ user }) => await user.configure(),
    expectedEvents: ["otp.configured success"],
  },
  "new backup codes": {
    act: async ({ tenant, user }) => await tenant.send("POST", user.path("/backup-codes")),
    expectedEvents: ["backup_codes.generated success"],
  },
  "a removal of TOTP": {
    act: async ({ tenant, user }) => await tenant.send("DELETE", user.path("/otp")),
    expectedEvents: ["otp.removed success"],
  },
  "a suspension": { act: setStatus("suspended"), expectedEvents: ["user.suspended success"] },
  "a reactivation": {
    given: setStatus("suspended"),
    act: setStatus("active"),
    expectedEvents: ["user.reactivated success"],
  },
  "a repeated provisioning": {
    act: async ({ tenant, user }) =>
      await tenant.send("POST", "/v1/idp/users", { user: { external_id: user.externalId } }),
    expectedEvents: ["user.provisioned refused user_exists"],
  },
  "an erasure": {
    act: async ({ tenant, user }) => await tenant.send("DELETE", user.path()),
    expectedEvents: ["user.erased success"],
  },
};

describe.each(fixedLocations)(
  "Promise 6, for a tenant $location: exactly the expected events follow",
  ({ tenant: create }) => {
    it.each(Object.entries(acts))("%s", async (_, { given, act, expectedEvents }) => {
      const tenant = await create();
      const user = await User.withTotp(tenant, "alice");
      tenant.clock = new Date(start).toISOString();
      await given?.({ tenant, user });
      const answer = await act({ tenant, user });
      const requestId = answer.headers.get("X-Request-Id");
      const [{ id: tokenId }] = (await tenant.send("GET", "/v1/tokens")).body.tokens;
      await expectRequestEvents({ tenant, user }, requestId, expectedEvents);
      const { events } = (await tenant.send("GET", "/v1/audit/events?limit=100")).body;
      const own = events.filter(
        ({ request_id }: { request_id: string }) => request_id === requestId,
      );
      for (const event of own) {
        expect(event).toMatchObject({
          at: new Date(start).toISOString(),
          actor: { type: "api_token", id: tokenId },
          target: { type: "identity", id: user.id },
          request_id: requestId,
        });
      }
    });

    it("acts of the operator, and acts on tokens and settings", async () => {
      const tenant = await create();
      const first = (await tenant.send("GET", "/v1/audit/events")).body.events;
      expect(first.map(({ action }: { action: string }) => action).toSorted()).toEqual([
        "tenant.created",
        "token.created",
      ]);
      const operator = { type: "operator", id: null, name: null, acting_for: null };
      for (const { actor } of first) expect(actor).toEqual(operator);
      const token = { name: "n", permissions: ["idp:read"] };
      const created = await tenant.send("POST", "/v1/tokens", { token });
      const path = `/v1/tokens/${created.body.token.id}`;
      const answers: [Answer, string][] = [
        [created, "token.created success"],
        [await tenant.send("POST", `${path}/rotate`, { token: {} }), "token.rotated success"],
        [await tenant.send("DELETE", path), "token.revoked success"],
        [
          await tenant.send("PATCH", "/v1/settings", {
            settings: { lockout: { lock_seconds: 60 } },
          }),
          "settings.changed success",
        ],
      ];
      for (const [{ headers }, expectedEvent] of answers) {
        expect(await readRequestEvents({ tenant }, headers.get("X-Request-Id"))).toEqual([
          expectedEvent,
        ]);
      }
    });

    it("a request without the permission, and a request with a revoked token", async () => {
      const tenant = await create();
      const user = await User.withTotp(tenant);
      const narrow = await tenant.tokenWith(["idp:read"]);
      const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
      const refused = await user.verify("123456", narrow);
      await expectRequestEvents({ tenant }, refused.headers.get("X-Request-Id"), [
        "request.refused refused insufficient_scope",
      ]);
      await tenant.send("DELETE", `/v1/tokens/${tokens[1].id}`);
      const revoked = await user.verify("123456", narrow);
      await expectRequestEvents({ tenant }, revoked.headers.get("X-Request-Id"), [
        "request.refused refused invalid_token",
      ]);
    });
  },
);

describe("A flood", () => {
  it("of 120 concurrent codes leaves five failures, one lock and a few events that count the rest", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const code = user.wrongCode(Date.now());
    const counts = tally(await sendAtOnce(120, () => user.verify(code)));
    expect(counts).toEqual({ "422 invalid_code": 5, "423 user_locked": 115 });
    const events = await user.events();
    const of = (action: string, outcome: string) =>
      events.filter((event) => event.action === action && event.outcome === outcome);
    expect(of("otp.verified", "failure")).toHaveLength(5);
    expect(of("user.locked", "success")).toHaveLength(1);
    const refused = of("otp.verified", "refused");
    expect(refused.length).toBeLessThanOrEqual(5);
    expect(refused.reduce((sum, { details }) => sum + details.count, 0)).toBe(115);
    // The earlier events remain.
    expect(events.slice(-2).map(({ action }) => action)).toEqual([
      "otp.configured",
      "user.provisioned",
    ]);
  });

  it("of 60 requests without permission is fully counted in a few events", async () => {
    const tenant = await Tenant.create();
    const narrow = await tenant.tokenWith(["audit:read"]);
    const before = (await tenant.send("GET", "/v1/audit/events?limit=100")).body.events;
    await sendAtOnce(60, () => tenant.send("GET", "/v1/idp/users", undefined, narrow));
    await expect
      .poll(
        async () => {
          await readRequestEvents({ tenant }, null);
          const { events } = (
            await tenant.send("GET", "/v1/audit/events?action=request.refused&limit=100")
          ).body;
          const count = (sum: number, { details }: { details: { count: number } }) =>
            sum + details.count;
          return { few: events.length <= 5, counted: events.reduce(count, 0) };
        },
        { timeout: 25_000, interval: 500 },
      )
      .toEqual({ few: true, counted: 60 });
    const { events } = (await tenant.send("GET", "/v1/audit/events?limit=100")).body;
    expect(events.slice(-before.length)).toEqual(before);
  });

  it("without a token of the tenant adds no event to the trail", async () => {
    const tenant = await Tenant.create();
    const before = (await tenant.send("GET", "/v1/audit/events?limit=100")).body.events;
    const forged = tenant.token.slice(0, -1) + (tenant.token.endsWith("0") ? "1" : "0");
    await sendAtOnce(40, (n) => send("GET", "/v1/idp/users", n % 2 === 0 ? {} : { token: forged }));
    await readRequestEvents({ tenant }, null);
    const after = (await tenant.send("GET", "/v1/audit/events?limit=100")).body.events;
    expect(after).toEqual(before);
  });
});
