/** No tenant can empty the isolate's memory of another tenant's tokens. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { parseApiToken } from "../../src/tenancy/api-token.ts";
import type { ResolvedToken } from "../../src/tenancy/caller.ts";
import type { TenantPolicy } from "../../src/tenancy/policy.ts";
import { resolveToken } from "../../src/tenancy/resolve-token.ts";
import { beginRead, findCachedToken, invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { Tenant } from "../support/client.ts";
import { sql } from "../support/trail.ts";

const now = Date.UTC(2041, 0, 1);
let tenants = 0;

function newTenantId(): string {
  tenants += 1;
  return `tenant ${tenants}`;
}

function resolve(tenantId: string, tokenId: string, policy: TenantPolicy): ResolvedToken {
  const location = { jurisdiction: null, hint: null };
  const caller = { tenantId, tokenId, mode: "live", permissions: [], expiresAt: null } as const;
  return {
    caller: { ...caller, policy, location, destinations: [] },
    revoked: false,
    isTenantActive: true,
  };
}

function cacheToken(tenantId: string, tokenId: string, settings = "{}"): ResolvedToken {
  const read = beginRead(tenantId, now);
  return read.complete(`${tenantId} ${tokenId}`, settings, (policy) =>
    resolve(tenantId, tokenId, policy),
  );
}

function isCached(tenantId: string, tokenId: string): boolean {
  return findCachedToken(tenantId, `${tenantId} ${tokenId}`, now) !== undefined;
}

/** Settings with a thousand entries in the address lists. */
function buildLongSettings(): string {
  const list = (first: number) =>
    Array.from({ length: 500 }, (_, n) => `${first}.${n >> 8}.${n & 255}.0/24`);
  return JSON.stringify({ sentinel: { allow: list(10), deny: list(11) } });
}

describe("The cache of token records", () => {
  it("keeps other tenants' tokens when a tenant uses many: the tenant evicts its own, the oldest first", () => {
    const [quiet, busy] = [newTenantId(), newTenantId()];
    cacheToken(quiet, "only");
    for (let n = 0; n < 20_000; n += 1) cacheToken(busy, String(n));
    expect(isCached(quiet, "only")).toBe(true);
    expect(isCached(busy, "19999")).toBe(true);
    expect(isCached(busy, "19900")).toBe(true);
    expect(isCached(busy, "19899")).toBe(false);
  });

  it("keeps other tenants' tokens when a tenant has long address lists and many tokens", () => {
    const [quiet, busy] = [newTenantId(), newTenantId()];
    const settings = buildLongSettings();
    cacheToken(quiet, "only");
    for (let n = 0; n < 2_000; n += 1) cacheToken(busy, String(n), settings);
    expect(isCached(quiet, "only")).toBe(true);
  });

  it("is bounded over all tenants: 67 of the largest shares fill it, and the oldest is evicted", () => {
    const settings = buildLongSettings();
    const large = Array.from({ length: 67 }, newTenantId);
    for (const tenantId of large) {
      for (let n = 0; n < 100; n += 1) cacheToken(tenantId, String(n), settings);
    }
    expect(isCached(large[0] ?? "", "99")).toBe(false);
    expect(isCached(large[1] ?? "", "99")).toBe(true);
  });

  it("caches a read during which another tenant changes, but not one during which the same tenant does", () => {
    const [one, other] = [newTenantId(), newTenantId()];
    const reads = [one, other].map((tenantId) => ({ tenantId, read: beginRead(tenantId, now) }));
    invalidateTenant(other);
    for (const { tenantId, read } of reads) {
      const hash = `${tenantId} token`;
      read.complete(hash, "{}", (policy) => resolve(tenantId, "token", policy));
    }
    expect([isCached(one, "token"), isCached(other, "token")]).toEqual([true, false]);
    cacheToken(other, "token");
    expect(isCached(other, "token")).toBe(true);
  });

  it("gives all tokens of a tenant one policy, and a new one to all when the settings have changed", () => {
    const tenantId = newTenantId();
    const [first, second] = [cacheToken(tenantId, "1"), cacheToken(tenantId, "2")];
    expect(second.caller.policy).toBe(first.caller.policy);
    const changed = cacheToken(tenantId, "3", '{"lockout":{"lock_seconds":60}}');
    expect(changed.caller.policy.lockout.lockSeconds).toBe(60);
    expect([isCached(tenantId, "1"), isCached(tenantId, "3")]).toEqual([false, true]);
  });

  it("is the one that requests use", async () => {
    const tenant = await Tenant.create();
    const tokens = [tenant.token, await tenant.tokenWith(["idp:read"])];
    invalidateTenant(tenant.id);
    const resolved = await Promise.all(
      tokens.map((token) => resolveToken(env, token, now, () => {})),
    );
    const [first, second] = resolved.map((one) => one?.caller.policy);
    expect(first).toBeDefined();
    expect(second).toBe(first);
    expect(parseApiToken(tenant.token)?.tenantId).toBe(tenant.id);
  });
});

describe("Stored settings", () => {
  async function statusWith(settings: string): Promise<number> {
    const tenant = await Tenant.create();
    await sql("UPDATE tenants SET settings = ? WHERE id = ?", settings, tenant.id);
    invalidateTenant(tenant.id);
    return (await tenant.send("GET", "/v1/idp/users")).status;
  }

  it.each([
    "not JSON",
    "null",
    "[]",
    '{"lockout":{"max_failed_attempts":"5"}}',
    '{"lockout":{"disable_after":1000000}}',
    '{"sentinel":{"deny":"10.0.0.0/8"}}',
    '{"sentinel":{"deny":[7]}}',
    '{"sentinel":{"deny":["everybody"]}}',
    '{"sentinel":{"deny_at":null}}',
    '{"otp":{"enrolment":"never"}}',
  ])("that are damaged are a 503, and no default replaces them: %s", async (settings) => {
    expect(await statusWith(settings)).toBe(503);
  });

  it.each(["{}", '{"lockout":{}}', '{"later":{"field":1},"otp":{"later":2}}'])(
    "of another version have the defaults for what is missing: %s",
    async (settings) => {
      expect(await statusWith(settings)).toBe(200);
    },
  );

  it("with an entry that is not a network refuse an assessment", async () => {
    const tenant = await Tenant.create();
    const id = "0".repeat(24);
    await sql(
      "UPDATE tenants SET settings = ? WHERE id = ?",
      '{"sentinel":{"deny":["999.0.0.0/8"]}}',
      tenant.id,
    );
    invalidateTenant(tenant.id);
    const sentinel = { id, context: { ip: "1.1.1.1", ua: "Agent/1.0" } };
    const answer = await tenant.send("POST", "/v1/sentinel/discover", { sentinel });
    expect(answer.status).toBe(503);
  });
});
