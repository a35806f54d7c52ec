import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { rateQuotas } from "../../src/guard/decisions/rate-limit.ts";
import { countRequest } from "../../src/http/rate-limit.ts";
import wrangler from "../../wrangler.toml?raw";
import { Tenant, User } from "../support/client.ts";
import { createRegistrationBody, givePasskey, logIn } from "../support/passkeys.ts";

/** Sends requests in parallel, in waves that a local machine can handle. */
async function sendMany<T>(count: number, act: (n: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) {
    const wave = Math.min(60, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: wave }, (_, n) => act(n)))));
  }
  return all;
}

const start = Date.UTC(2026, 0, 1);

/** Counts requests of a caller, and returns the keys that the platform's limiters were asked about. */
async function listLimiterKeys(
  caller: { readonly tokenId: string; readonly tenantId: string },
  count: number,
  now: number,
): Promise<string[]> {
  const limit = vi.spyOn(Object.getPrototypeOf(env.TOKEN_RATE_LIMIT), "limit");
  for (let n = 0; n < count; n += 1) {
    const limits = await countRequest(env, caller, now);
    expect(limits.map(({ remaining }) => remaining)).toEqual([null, null]);
  }
  const keys = limit.mock.calls.map(([options]) => String(Object(options).key));
  limit.mockRestore();
  return keys;
}

describe("The rate limiter of a token", () => {
  /** Each token has a tenant of its own. */
  async function countLimiterCalls(tokenId: string, count: number, now: number): Promise<number> {
    const caller = { tokenId, tenantId: `tenant of ${tokenId}` };
    return (await listLimiterKeys(caller, count, now)).length;
  }

  it("is not called while the isolate has had few requests of the token", async () => {
    expect(await countLimiterCalls("rare", 100, start)).toBe(0);
    expect(await countLimiterCalls("rare", 100, start + 10_000)).toBe(0);
  });

  it("is called for every request beyond those, and in the following window", async () => {
    expect(await countLimiterCalls("busy", 120, start)).toBe(20);
    expect(await countLimiterCalls("another", 100, start)).toBe(0);
    expect(await countLimiterCalls("busy", 101, start + 10_000)).toBe(101);
    expect(await countLimiterCalls("busy", 50, start + 20_000)).toBe(50);
    // The previous window was not busy.
    expect(await countLimiterCalls("busy", 50, start + 30_000)).toBe(0);
  });

  it("is called although thousands of other tokens come in between", async () => {
    const countOne = async (tokenId: string) =>
      await countRequest(env, { tokenId, tenantId: `tenant of ${tokenId}` }, start);
    await countOne("oldest");
    expect(await countLimiterCalls("busy among many", 101, start)).toBe(1);
    for (let n = 0; n < 9_999; n += 1) await countOne(`one of many ${n}`);
    expect(await countLimiterCalls("busy among many", 10, start)).toBe(10);
  });

  it("is not called after a window without the token", async () => {
    expect(await countLimiterCalls("resting", 101, start)).toBe(1);
    expect(await countLimiterCalls("resting", 50, start + 20_000)).toBe(0);
  });
});

describe("The rate limiter of a tenant", () => {
  it("counts the requests of all its tokens, so that more tokens are no more capacity", async () => {
    const tenantId = "a tenant with many tokens";
    for (let token = 0; token < 10; token += 1) {
      const caller = { tokenId: `token ${token} of many`, tenantId };
      expect(await listLimiterKeys(caller, 50, start)).toEqual([]);
    }
    const keys = await listLimiterKeys({ tokenId: "one more token", tenantId }, 10, start);
    expect(keys).toEqual(Array.from({ length: 10 }, () => tenantId));
    const other = { tokenId: "another token", tenantId: "another tenant" };
    expect(await listLimiterKeys(other, 50, start)).toEqual([]);
  });

  it("has the limit in wrangler.toml that the headers show, as has that of a token", () => {
    const configured = [...wrangler.matchAll(/^name = "(\w+)_RATE_LIMIT"\n.*\nsimple = (.*)$/gm)];
    expect(configured.map(([, name, simple]) => [name, simple])).toEqual([
      ["TOKEN", "{ limit = 1000, period = 10 }"],
      ["TENANT", "{ limit = 5000, period = 10 }"],
    ]);
  });
});

describe("The limits of one identity", { timeout: 120_000 }, () => {
  it("allow a fixed number of attempts a minute, with any tokens, and then none until the minute ends", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const begin = Date.now();
    tenant.clock = new Date(begin).toISOString();
    const other = await tenant.tokenWith(["idp:write"]);
    const wrong = user.wrongCode(begin);
    const { requests } = rateQuotas.attempts;
    const answers = await sendMany(requests + 20, (n) =>
      user.verify(wrong, n % 2 === 0 ? other : undefined),
    );
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(20);
    for (const { body, headers } of limited) {
      expect(body.code).toBe("rate_limited");
      expect(headers.get("Retry-After")).toBe("60");
      expect(headers.get("RateLimit")).toBe('"attempts";r=0;t=60');
    }
    expect((await user.profile()).failed_attempts).toBe(5);
    tenant.clock = new Date(begin + 59_000).toISOString();
    expect((await user.verify(user.code(begin))).headers.get("Retry-After")).toBe("1");
    tenant.clock = new Date(begin + 60_000).toISOString();
    const after = await user.verify(wrong);
    expect(after.status).toBe(423);
    expect(after.headers.get("RateLimit")).toBe(`"attempts";r=${requests - 1};t=60`);
  });

  it("apply to provisioning and assessments too", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant, "alice");
    tenant.clock = new Date().toISOString();
    const again = { user: { external_id: "alice" } };
    const provisioned = await sendMany(rateQuotas.provisioning.requests + 1, () =>
      tenant.send("POST", "/v1/idp/users", again),
    );
    expect(provisioned.filter(({ status }) => status === 429)).toHaveLength(1);
    const assessed = await sendMany(rateQuotas.assessments.requests + 1, () => user.discover());
    expect(assessed.filter(({ status }) => status === 429)).toHaveLength(1);
  });

  it("apply to answers of passkeys, at logins and registrations together", async () => {
    const user = await User.provision(await Tenant.create());
    const { authenticator } = await givePasskey(user);
    await logIn(user.tenant, authenticator, user);
    const { passkey } = await createRegistrationBody(user, { type: "webauthn.get" });
    user.tenant.clock = new Date().toISOString();
    const register = () => user.tenant.send("POST", user.path("/passkeys"), { passkey });
    const { requests } = rateQuotas.passkeys;
    const answers = await sendMany(requests + 20, register);
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(requests - 2);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(22);
    expect((await register()).headers.get("RateLimit")).toMatch(/^"passkeys";r=0;t=/);
  });

  it("are reported with every answer that they count", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const { headers } = await user.verify(user.code(Date.now()));
    expect(headers.get("RateLimit-Policy")).toBe(
      '"token";q=1000;w=10, "tenant";q=5000;w=10, "attempts";q=300;w=60',
    );
    expect(headers.get("RateLimit")).toMatch(/^"attempts";r=299;t=60$/);
    const listed = await tenant.send("GET", "/v1/idp/users");
    expect(listed.headers.get("RateLimit-Policy")).toBe(
      '"token";q=1000;w=10, "tenant";q=5000;w=10',
    );
    expect(listed.headers.get("RateLimit")).toBeNull();
  });
});
