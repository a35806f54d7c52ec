/** What somebody can gain from an import: a code a second time, or work that costs the service much. */
import { base32nopad } from "@scure/base";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Tenant } from "../support/client.ts";
import { evict, loseStorage, replaceState } from "../support/guard.ts";
import {
  authenticatorsOf,
  createSecret,
  idOf,
  importRows,
  otpauthCode,
  outcomesOf,
  profileOf,
  verifyFor,
} from "../support/imports.ts";

const path = "/v1/idp/users/import";

it.each([
  ["users", (items: readonly unknown[]) => ({ users: items })],
  ["authenticators", (items: readonly unknown[]) => ({ users: [{ authenticators: items }] })],
  ["codes", (items: readonly unknown[]) => ({ users: [{ backup_codes: items }] })],
])("A body full of %s that are not valid is refused with few issues", async (_, build) => {
  const tenant = await Tenant.create();
  const items = Array.from({ length: 250_000 }, () => 1);
  const { status, body } = await tenant.send("POST", path, build(items));
  expect([status, body.code]).toEqual([400, "invalid_request"]);
  expect(body.issues.length).toBeLessThanOrEqual(20);
});

const now = Date.parse("2026-06-30T12:00:00Z");
const add = { on_existing: "add" };
const otpPath = "/v1/idp/user/otp?externalUserId=a";

async function createTenant(): Promise<Tenant> {
  const tenant = await Tenant.create();
  tenant.clock = new Date(now).toISOString();
  return tenant;
}

async function resultOf(tenant: Tenant, code: string): Promise<string> {
  const { status, body } = await verifyFor(tenant, "a", code);
  return status === 200 ? body.method : body.code;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("A secret that comes back by an import", () => {
  const removals: readonly (readonly [string, (tenant: Tenant) => Promise<unknown>])[] = [
    ["removed with TOTP", (tenant) => tenant.send("DELETE", otpPath)],
    [
      "removed alone",
      async (tenant) => {
        const [{ id }] = await authenticatorsOf(tenant, "a");
        const path = `/v1/idp/user/authenticators/${id}?externalUserId=a`;
        await tenant.send("DELETE", path);
      },
    ],
    [
      "replaced",
      (tenant) => tenant.send("POST", otpPath, { otp: { issuer_name: "Acme", account_name: "a" } }),
    ],
  ];

  it.each(removals)("after it was %s accepts no code a second time", async (what, remove) => {
    // Only one with the default parameters is replaced by an enrolment.
    for (const parameters of what === "replaced" ? [{}] : [{}, { digits: 8, period: 60 }]) {
      const tenant = await createTenant();
      await tenant.setSettings({ otp: { window_steps: 2 } });
      const secret = createSecret();
      const row = { external_id: "a", authenticators: [{ secret, ...parameters }] };
      await importRows(tenant, [row]);
      // The newest code that the window has.
      const { period } = { period: 30, ...parameters };
      const code = otpauthCode(secret, now + 2 * period * 1000, parameters);
      expect(await resultOf(tenant, code)).toBe("totp");
      await remove(tenant);
      expect(await outcomesOf(tenant, [row], add)).toEqual(["added"]);
      for (const steps of [0, 1, 2]) {
        tenant.clock = new Date(now + steps * period * 1000).toISOString();
        expect(await resultOf(tenant, code)).not.toBe("totp");
      }
      const next = otpauthCode(secret, now + 3 * period * 1000, parameters);
      expect(await resultOf(tenant, next)).toBe("totp");
    }
  });
});

describe("An imported backup code that was spent", () => {
  const row = (codes: unknown) => ({
    external_id: "a",
    authenticators: [{ secret }],
    backup_codes: codes,
  });
  const secret = createSecret();
  const hashes = ["c9f62ae63d3e3a5b0b6acc818832780f8131ed1dfe3902f78480f36f0c48e02b"];

  it.each([
    ["in clear", ["a1b2-C3d4-E5f6", "7KQ2-XM4P-0RTZ"], 1],
    ["as a hash", { scheme: "sha256", hashes }, 0],
  ])("%s stays spent when its set is removed and comes back", async (_, codes, left) => {
    const tenant = await createTenant();
    await importRows(tenant, [row(codes)]);
    expect(await resultOf(tenant, "a1b2-C3d4-E5f6")).toBe("backup_code");
    for (const times of [1, 2]) {
      if (times === 2) await tenant.send("POST", "/v1/idp/user/backup-codes?externalUserId=a");
      await tenant.send("DELETE", otpPath);
      expect(await outcomesOf(tenant, [row(codes)], add)).toEqual(["added"]);
      expect((await profileOf(tenant, "a")).backup_codes_remaining).toBe(left);
      expect(await resultOf(tenant, "a1b2-C3d4-E5f6")).not.toBe("backup_code");
      expect(await outcomesOf(tenant, [row(codes)], add)).toEqual(["skipped already_imported"]);
    }
  });

  it("stays spent also in a guard that has lost its storage", async () => {
    const tenant = await createTenant();
    await importRows(tenant, [row(["7KQ2-XM4P-0RTZ"])]);
    expect(await resultOf(tenant, "7KQ2-XM4P-0RTZ")).toBe("backup_code");
    await tenant.send("DELETE", otpPath);
    await loseStorage({ tenant, id: await idOf(tenant, "a") });
    expect(await outcomesOf(tenant, [row(["7KQ2-XM4P-0RTZ"])], add)).toEqual(["added"]);
    expect(await resultOf(tenant, "7KQ2-XM4P-0RTZ")).not.toBe("backup_code");
  });
});

it("An attempt above the rate limit computes no hash of an imported code", async () => {
  const tenant = await createTenant();
  const code = "0a1b2-c3d4e";
  const hash =
    "$pbkdf2-sha256$20000$c2FsdHNhbHRzYWx0MTIzNA$ZxOxyfHFQLe.SRR4dkHhaliSzYAgEJxXKG2iQkasuP8";
  const backup_codes = { scheme: "pbkdf2", hashes: [hash] };
  await importRows(tenant, [{ external_id: "a", backup_codes }]);
  expect(await resultOf(tenant, code)).toBe("backup_code");
  const user = { tenant, id: await idOf(tenant, "a") };
  const rates = JSON.stringify({ attempts: { startedAt: now, count: 299 } });
  await replaceState(user, `json_set(state, '$.rates', json('${rates}'))`);
  await evict(user);
  const derive = vi.spyOn(Object.getPrototypeOf(crypto.subtle), "deriveBits");
  // It counts no failure, so the lockout does not end this.
  expect(await resultOf(tenant, code)).toBe("code_already_used");
  expect(derive).toHaveBeenCalledTimes(2);
  expect(await resultOf(tenant, code)).toBe("rate_limited");
  expect(derive).toHaveBeenCalledTimes(2);
  tenant.clock = new Date(now + 60_000).toISOString();
  expect(await resultOf(tenant, code)).toBe("code_already_used");
});

it("A row of a user who is erased meanwhile creates the user again", async () => {
  const tenant = await createTenant();
  await importRows(tenant, [{ external_id: "a" }]);
  const secret = createSecret();
  const row = { external_id: "a", authenticators: [{ secret }] };
  const isSecret = (bytes: unknown) =>
    bytes instanceof Uint8Array && base32nopad.encode(bytes) === secret;
  const prototype = Object.getPrototypeOf(crypto.subtle);
  const real: SubtleCrypto["encrypt"] = prototype.encrypt;
  let erased: number | undefined;
  vi.spyOn(prototype, "encrypt").mockImplementation(async function (
    this: unknown,
    ...args: unknown[]
  ) {
    const box = await Reflect.apply(real, this, args);
    // The secret is sealed after the plan, and before it is carried out. Deliveries of events seal too, at any time.
    if (erased === undefined && isSecret(args[2])) {
      erased = 0;
      erased = (await tenant.send("DELETE", "/v1/idp/user?externalUserId=a")).status;
    }
    return box;
  });
  expect(await outcomesOf(tenant, [row], add)).toEqual(["created"]);
  expect(erased).toBe(204);
  expect(await resultOf(tenant, otpauthCode(secret, now))).toBe("totp");
});
