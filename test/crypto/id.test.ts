import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createId, deriveId, firstIdOf, identityIdOf } from "../../src/crypto/id.ts";
import { idPattern } from "../../src/crypto/id-time.ts";

const tenant = "0123456789abcdef01234567";
const otherTenant = "0123456789abcdef01234568";
/** Unix milliseconds that fit into 48 bits. */
const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const tenants = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""));

async function firstTwelveBytesOfSha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest).subarray(0, 12)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

describe("a new id", () => {
  test("is 24 lower-case hex digits and sorts by time", () => {
    fc.assert(
      fc.property(times, times, (left, right) => {
        const ids = [createId(left), createId(right)] as const;
        for (const id of ids) expect(id).toMatch(/^[0-9a-f]{24}$/);
        if (left < right) expect(ids[0] < ids[1]).toBe(true);
        if (left > right) expect(ids[0] > ids[1]).toBe(true);
      }),
    );
  });

  test("begins with the time in milliseconds", () => {
    expect(createId(1_700_000_000_123).slice(0, 12)).toBe("018bcfe5687b");
    expect(createId(0).slice(0, 12)).toBe("000000000000");
  });

  test("differs from every other id of the same millisecond", () => {
    const ids = Array.from({ length: 1_000 }, () => createId(1_700_000_000_000));
    expect(new Set(ids).size).toBe(1_000);
  });

  test("is random in each of the 48 bits after the time", () => {
    // The probability that all 200 draws agree on some bit is 2^-193.
    const rests = Array.from({ length: 200 }, () => BigInt(`0x${createId(0).slice(12)}`));
    const everSet = rests.reduce((bits, rest) => bits | rest, 0n);
    const alwaysSet = rests.reduce((bits, rest) => bits & rest, 2n ** 48n - 1n);
    expect(everSet).toBe(2n ** 48n - 1n);
    expect(alwaysSet).toBe(0n);
  });

  test("sorts from the first id of its millisecond up to the first id of the next", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 2 }), (now) => {
        expect(firstIdOf(now)).toMatch(idPattern);
        expect(firstIdOf(now) <= createId(now)).toBe(true);
        expect(createId(now) < firstIdOf(now + 1)).toBe(true);
      }),
    );
  });
});

describe("a derived id", () => {
  test("consists of the time, the order, and 32 bits of SHA-256 over the parts", async () => {
    const hash = await firstTwelveBytesOfSha256("a\0bc");
    expect(deriveId(1_700_000_000_123, 0x12_35, "a", "bc")).toBe(
      `018bcfe5687b1235${hash.slice(0, 8)}`,
    );
  });

  test("is equal for equal parts and different for different parts", () => {
    const now = 1_700_000_000_000;
    const reference = deriveId(now, 3, tenant, "request", "otp.verified");
    expect(reference).toMatch(idPattern);
    expect(deriveId(now, 3, tenant, "request", "otp.verified")).toBe(reference);
    const others = [
      deriveId(now + 1, 3, tenant, "request", "otp.verified"),
      deriveId(now, 4, tenant, "request", "otp.verified"),
      deriveId(now, 3, otherTenant, "request", "otp.verified"),
      deriveId(now, 3, tenant, "request2", "otp.verified"),
      deriveId(now, 3, tenant, "requestotp.verified"),
      deriveId(now, 3, tenant, "request", "otp.removed"),
    ];
    expect(new Set([reference, ...others]).size).toBe(others.length + 1);
  });

  test("sorts by time, then by order, for any parts", () => {
    const orders = fc.integer({ min: 0, max: 0xffff });
    const closeTimes = fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_002 });
    fc.assert(
      fc.property(
        fc.tuple(closeTimes, orders, fc.string()),
        fc.tuple(closeTimes, orders, fc.string()),
        ([leftTime, leftOrder, leftPart], [rightTime, rightOrder, rightPart]) => {
          const left = deriveId(leftTime, leftOrder, leftPart);
          const right = deriveId(rightTime, rightOrder, rightPart);
          const difference = leftTime - rightTime || leftOrder - rightOrder;
          if (difference < 0) expect(left < right).toBe(true);
          if (difference > 0) expect(left > right).toBe(true);
        },
      ),
    );
  });

  test("sorts after the first id of its millisecond and before the first id of the next", () => {
    expect(deriveId(1_700_000_000_000, 0, "x") >= firstIdOf(1_700_000_000_000)).toBe(true);
    expect(deriveId(1_700_000_000_000, 0xffff, "x") < firstIdOf(1_700_000_000_001)).toBe(true);
  });

  test("wraps an order of more than 16 bits", () => {
    expect(deriveId(5, 0x1_0002, "x")).toBe(deriveId(5, 2, "x"));
  });
});

describe("the id of an identity", () => {
  test("is the first 12 bytes of SHA-256 over tenant, NUL and external_id", async () => {
    await fc.assert(
      fc.asyncProperty(
        tenants,
        fc.string({ unit: "binary", minLength: 1, maxLength: 255, size: "max" }),
        async (tenantId, externalId) => {
          expect(await identityIdOf(tenantId, externalId)).toBe(
            await firstTwelveBytesOfSha256(`${tenantId}\0${externalId}`),
          );
        },
      ),
    );
  });

  test("is different for each external_id and each tenant", async () => {
    const few = fc.string({ unit: fc.constantFrom("a", "A", "\0", "é"), maxLength: 3 });
    const fewTenants = fc.constantFrom(tenant, otherTenant);
    await fc.assert(
      fc.asyncProperty(
        fewTenants,
        few,
        fewTenants,
        few,
        async (leftTenant, left, rightTenant, right) => {
          const isSame = leftTenant === rightTenant && left === right;
          const id = await identityIdOf(leftTenant, left);
          expect(id === (await identityIdOf(rightTenant, right))).toBe(isSame);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ["case", "Alice", "alice"],
    ["Unicode form", "Ren\u00e9", "Rene\u0301"],
    ["compatibility form", "ﬁle", "file"],
    ["width", "ａlice", "alice"],
    ["a trailing space", "alice ", "alice"],
    ["a look-alike letter", "аlice", "alice"],
    ["a dotless i", "ıd", "id"],
  ])("distinguishes external_ids that differ in %s", async (_, left, right) => {
    expect(await identityIdOf(tenant, left)).not.toBe(await identityIdOf(tenant, right));
  });

  test("separates the end of the tenant id from the start of the external_id", async () => {
    expect(await identityIdOf(tenant, "7x")).not.toBe(await identityIdOf(`${tenant}7`, "x"));
    expect(await identityIdOf(tenant.slice(0, -1), `${tenant.slice(-1)}x`)).not.toBe(
      await identityIdOf(tenant, "x"),
    );
  });
});
