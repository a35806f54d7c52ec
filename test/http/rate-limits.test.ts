import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { rateQuotas } from "../../src/guard/decisions/rate-limit.ts";
import { countRequest } from "../../src/http/rate-limit.ts";
import { Tenant, User } from "../support/client.ts";

/** Sends requests in parallel, in waves that a local machine can handle. */
async function sendMany<T>(count: number, act: (n: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) {
    const wave = Math.min(60, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: wave }, (_, n) => act(n)))));
  }
  return all;
}

describe("The rate limiter of a token", () => {
  const start = Date.UTC(2026, 0, 1);

  async function countLimiterCalls(tokenId: string, count: number, now: number): Promise<number> {
    const limit = vi.spyOn(Object.getPrototypeOf(env.TOKEN_RATE_LIMIT), "limit");
    for (let n = 0; n < count; n += 1) {
      expect((await countRequest(env, tokenId, now)).remaining).toBeNull();
    }
    const calls = limit.mock.calls.length;
    limit.mockRestore();
    return calls;
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
    await countRequest(env, "oldest", start);
    expect(await countLimiterCalls("busy among many", 101, start)).toBe(1);
    for (let n = 0; n < 9_999; n += 1) await countRequest(env, `one of many ${n}`, start);
    expect(await countLimiterCalls("busy among many", 10, start)).toBe(10);
  });

  it("is not called after a window without the token", async () => {
    expect(await countLimiterCalls("resting", 101, start)).toBe(1);
    expect(await countLimiterCalls("resting", 50, start + 20_000)).toBe(0);
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

  it("are reported with every answer that they count", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const { headers } = await user.verify(user.code(Date.now()));
    expect(headers.get("RateLimit-Policy")).toBe('"token";q=1000;w=10, "attempts";q=300;w=60');
    expect(headers.get("RateLimit")).toMatch(/^"attempts";r=299;t=60$/);
    const listed = await tenant.send("GET", "/v1/idp/users");
    expect(listed.headers.get("RateLimit-Policy")).toBe('"token";q=1000;w=10');
    expect(listed.headers.get("RateLimit")).toBeNull();
  });
});
