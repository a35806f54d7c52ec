/** KV fails for the population, and for requests that are refused before an assessment. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { populationKeyOf } from "../../src/sentinel/population/read.ts";
import { encodeDataSet, feedOf } from "../sentinel/network/support.ts";
import { send, Tenant, User } from "../support/client.ts";
import { kvFaults, withKvFault } from "../support/kv-faults.ts";

const dayMs = 24 * 60 * 60 * 1000;
const listed = { ip: "185.220.101.7", ua: "curl/8.9" };
let now = Date.now();

// The tests run days apart, so that no cache entry of one is valid in the next.
beforeEach(async () => {
  now += 2 * dayMs;
  vi.useFakeTimers({ toFake: ["Date"], now });
  for (const [key, value] of encodeDataSet([feedOf("tor", "185.220.101.7")], now)) {
    await env.IP_REPUTATION.put(key, value);
  }
});

afterEach(() => {
  vi.useRealTimers();
});

async function provisionUser(): Promise<User> {
  return await User.provision(await Tenant.create());
}

describe("A population in KV", () => {
  it.each([
    ["is cut off", "{"],
    ["is empty", ""],
    ["is null", "null"],
    ["is a list", "[]"],
    ["is random text", "\u0000\uFFFD{]"],
    ["has other fields", JSON.stringify({ builtAt: now, __proto__: null, surprise: 1 })],
    ["is nested too deep", "[".repeat(50_000)],
  ])("that %s is reported as missing, and the session is assessed", async (_how, text) => {
    const user = await provisionUser();
    await env.IP_REPUTATION.put(populationKeyOf(user.tenant.id), text);
    // The first assessment in an isolate also reads other data.
    await user.discover(listed);
    const { status, body } = await user.discover(listed);
    expect(status).toBeOneOf([200, 403]);
    expect(body.degraded).toEqual(["population"]);
    expect(body.reasons.map(({ signal }: { signal: string }) => signal)).toContain("tor_exit");
  });
});

describe.each(kvFaults.filter(({ how }) => ["rejects", "throws", "hangs"].includes(how)))(
  "KV that $how for everything",
  ({ fault }) => {
    const discoverUnderFault = async (user: User, token?: string) => {
      const body = { sentinel: { id: user.id, context: listed } };
      return await withKvFault(
        "",
        fault,
        async () => await user.tenant.send("POST", "/v1/sentinel/discover", body, token),
      );
    };

    it("does not change why a request is refused", async () => {
      const user = await provisionUser();
      const narrow = await user.tenant.tokenWith(["idp:read"]);
      expect((await discoverUnderFault(user, narrow)).body.code).toBe("insufficient_scope");
      expect((await discoverUnderFault(user, "idp_test_forged")).body.code).toBe("invalid_token");
      const body = { sentinel: { id: user.id, context: listed } };
      const anonymous = await withKvFault("", fault, () =>
        send("POST", "/v1/sentinel/discover", { body }),
      );
      expect(anonymous.body.code).toBe("missing_token");
      await user.tenant.send("PATCH", user.path(), { user: { status: "suspended" } });
      expect((await discoverUnderFault(user)).body.code).toBe("user_suspended");
      await user.tenant.send("DELETE", user.path());
      expect((await discoverUnderFault(user)).body.code).toBe("user_not_found");
    });
  },
);
