import { describe, expect, it } from "vitest";
import { rateQuotas } from "../../src/guard/rates.ts";
import { Tenant, User } from "../support/client.ts";

/** Sends at once, in waves that a local machine can take. */
async function many<T>(count: number, act: (n: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  while (all.length < count) {
    const wave = Math.min(60, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: wave }, (_, n) => act(n)))));
  }
  return all;
}

describe("The limits of one identity", { timeout: 120_000 }, () => {
  it("let so many attempts pass in a minute, whatever their token, and then none until it is over", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const begin = Date.now();
    tenant.clock = new Date(begin).toISOString();
    const other = await tenant.tokenWith(["idp:write"]);
    const wrong = user.wrongCode(begin);
    const { requests } = rateQuotas.attempts;
    const answers = await many(requests + 20, (n) =>
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

  it("hold for provisioning and for assessments too", async () => {
    const tenant = await Tenant.create();
    const user = await User.provision(tenant, "somebody");
    tenant.clock = new Date().toISOString();
    const again = { user: { external_id: "somebody" } };
    const provisioned = await many(rateQuotas.provisioning.requests + 1, () =>
      tenant.send("POST", "/v1/idp/users", again),
    );
    expect(provisioned.filter(({ status }) => status === 429)).toHaveLength(1);
    const assessed = await many(rateQuotas.assessments.requests + 1, () => user.discover());
    expect(assessed.filter(({ status }) => status === 429)).toHaveLength(1);
  });

  it("are told with every answer they count", async () => {
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
