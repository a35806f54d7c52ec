/** How long an isolate goes by what it read of a token, and when its last use is noted. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { hashApiToken } from "../../src/tenancy/api-token.ts";
import { invalidateTenant, resolveToken } from "../../src/tenancy/resolve-token.ts";
import { Tenant } from "../support/client.ts";
import { withD1Fault } from "../support/d1-faults.ts";
import { sql } from "../support/trail.ts";

/** Far from the present, so that nothing that was noted of a use comes near. */
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

/** Resolves, and waits for what the platform was asked to wait for. */
async function resolvedAt(now: number, presented = token) {
  const asked: Promise<unknown>[] = [];
  const resolved = await resolveToken(env, presented, now, false, (work) => asked.push(work));
  await Promise.all(asked);
  return { revoked: resolved?.revoked, notes: asked.length };
}

/** Behind the service's back: as another isolate would do it. */
async function revokeElsewhere(): Promise<void> {
  await sql("UPDATE api_tokens SET revoked_at = 1 WHERE hash = ?", hashApiToken(token));
}

describe("What was read of a token", () => {
  it("holds for 25 s, and not a millisecond longer", async () => {
    expect(await resolvedAt(start)).toMatchObject({ revoked: false });
    await revokeElsewhere();
    expect(await resolvedAt(start + 24_999)).toMatchObject({ revoked: false });
    expect(await resolvedAt(start + 25_000)).toMatchObject({ revoked: true });
  });

  it("does not hold for a time before it was read", async () => {
    await resolvedAt(start);
    await revokeElsewhere();
    expect(await resolvedAt(start - 1)).toMatchObject({ revoked: true });
  });

  it("holds though other tokens are read after it", async () => {
    const other = await tenant.tokenWith(["idp:read"]);
    invalidateTenant(tenant.id);
    await resolvedAt(start);
    await resolvedAt(start, other);
    await revokeElsewhere();
    expect(await resolvedAt(start + 1)).toMatchObject({ revoked: false });
  });

  it("makes room where the lists of its tenants are long, the oldest first", async () => {
    const list = (third: number) =>
      Array.from({ length: 500 }, (_, n) => `10.${third + (n >> 8)}.${n & 255}.0/24`);
    await tenant.setSettings({ sentinel: { allow: list(0) } });
    await tenant.setSettings({ sentinel: { deny: list(2) } });
    // Fifty times a thousand entries are remembered.
    const others: string[] = [];
    while (others.length < 50) others.push(await tenant.tokenWith(["idp:read"]));
    invalidateTenant(tenant.id);
    await resolvedAt(start);
    await revokeElsewhere();
    for (const other of others.slice(1)) await resolvedAt(start, other);
    expect(await resolvedAt(start + 1)).toMatchObject({ revoked: false });
    await resolvedAt(start, others[0]);
    expect(await resolvedAt(start + 1)).toMatchObject({ revoked: true });
  });

  it("is not kept when something changed here while it was read", async () => {
    const reading = resolvedAt(start);
    invalidateTenant(tenant.id);
    expect(await reading).toMatchObject({ revoked: false });
    await revokeElsewhere();
    expect(await resolvedAt(start + 1)).toMatchObject({ revoked: true });
  });

  it("does not hold where the token was rotated, not even for the shortest overlap", async () => {
    const use = async () => (await tenant.send("GET", "/v1/idp/users", undefined, token)).status;
    expect(await use()).toBe(200);
    const { tokens } = (await tenant.send("GET", "/v1/tokens")).body;
    const rotated = await tenant.send("POST", `/v1/tokens/${tokens[1].id}/rotate`, {
      token: { overlap_seconds: 0 },
    });
    expect(rotated.status).toBe(201);
    expect(await use()).toBe(401);
  });

  it("is a fault that is told of, and no verdict, while it cannot be read", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    await withD1Fault("throws", async () => {
      await expect(resolvedAt(start)).rejects.toMatchObject({ code: "unavailable" });
    });
    expect(logged).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('"event":"token_lookup_failed","source":"d1"'),
    );
  });
});

describe("The last use of a token", () => {
  it("is noted once a minute", async () => {
    expect((await resolvedAt(start)).notes).toBe(1);
    expect((await resolvedAt(start + 59_999)).notes).toBe(0);
    invalidateTenant(tenant.id);
    expect((await resolvedAt(start + 60_000)).notes).toBe(1);
  });

  it("is not noted of one that is revoked", async () => {
    await revokeElsewhere();
    expect(await resolvedAt(start)).toEqual({ revoked: true, notes: 0 });
  });
});
