/** How long an isolate caches a token, and when it records the last use. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { StoreError } from "../../src/db/client.ts";
import { hashApiToken } from "../../src/tenancy/api-token.ts";
import { resolveToken } from "../../src/tenancy/resolve-token.ts";
import { invalidateTenant } from "../../src/tenancy/token-cache.ts";
import { Tenant } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { sql } from "../support/trail.ts";

/** Far from the present, so that no recorded use is near. */
const start = Date.UTC(2040, 0, 1);

let tenant: Tenant;
let token: string;

beforeEach(async () => {
  tenant = await Tenant.create();
  token = await tenant.tokenWith(["idp:read"]);
  invalidateTenant(tenant.id);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** Resolves the token and waits for the work that was passed to waitUntil. */
async function resolveAt(now: number, presented = token) {
  const pending: Promise<unknown>[] = [];
  const resolved = await resolveToken(env, presented, now, (work) => pending.push(work));
  await Promise.all(pending);
  return { revoked: resolved?.revoked, writes: pending.length };
}

/** Revokes the token in D1 alone, as another isolate would. */
async function revokeElsewhere(): Promise<void> {
  await sql("UPDATE api_tokens SET revoked_at = 1 WHERE hash = ?", await hashApiToken(token));
}

describe("A cached token", () => {
  it("is used for exactly 25 s", async () => {
    expect(await resolveAt(start)).toMatchObject({ revoked: false });
    await revokeElsewhere();
    expect(await resolveAt(start + 24_999)).toMatchObject({ revoked: false });
    expect(await resolveAt(start + 25_000)).toMatchObject({ revoked: true });
  });

  it("is not used for a time before it was read", async () => {
    await resolveAt(start);
    await revokeElsewhere();
    expect(await resolveAt(start - 1)).toMatchObject({ revoked: true });
  });

  it("stays in the cache while other tokens are read", async () => {
    const other = await tenant.tokenWith(["idp:read"]);
    invalidateTenant(tenant.id);
    await resolveAt(start);
    await resolveAt(start, other);
    await revokeElsewhere();
    expect(await resolveAt(start + 1)).toMatchObject({ revoked: false });
  });

  it("is not cached when the tenant was invalidated during the read", async () => {
    const reading = resolveAt(start);
    invalidateTenant(tenant.id);
    expect(await reading).toMatchObject({ revoked: false });
    await revokeElsewhere();
    expect(await resolveAt(start + 1)).toMatchObject({ revoked: true });
  });

  it("is not used after a rotation, even with the shortest overlap", async () => {
    const use = async () => (await tenant.send("GET", "/v1/idp/users", undefined, token)).status;
    expect(await use()).toBe(200);
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    const rotated = await tenant.send("POST", `/v1/tokens/${tokens[1].id}/rotate`, {
      token: { overlap_seconds: 0 },
    });
    expect(rotated.status).toBe(201);
    expect(await use()).toBe(401);
  });

  it("is needed while D1 fails: without it, the lookup throws and is logged", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    await withD1Fault("throws", async () => {
      await expect(resolveAt(start)).rejects.toBeInstanceOf(StoreError);
    });
    expect(logged).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('"event":"token_lookup_failed","source":"d1"'),
    );
  });
});

describe("The last use of a token", () => {
  it("is recorded once a minute", async () => {
    expect((await resolveAt(start)).writes).toBe(1);
    expect((await resolveAt(start + 59_999)).writes).toBe(0);
    invalidateTenant(tenant.id);
    expect((await resolveAt(start + 60_000)).writes).toBe(1);
  });

  it("is not recorded for a revoked token", async () => {
    await revokeElsewhere();
    expect(await resolveAt(start)).toEqual({ revoked: true, writes: 0 });
  });
});
