import { base64urlnopad } from "@scure/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createApiToken,
  formatApiToken,
  hashApiToken,
  type Mode,
  parseApiToken,
} from "../../src/tenancy/api-token.ts";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const form = /^idp_(live|test)_[0-9A-Za-z]{49}$/;
const tenantId = "0123456789abcdef01234567";
const modes = fc.constantFrom<Mode>("live", "test");
const tenants = fc
  .uint8Array({ minLength: 12, maxLength: 12 })
  .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
const randoms = fc.uint8Array({ minLength: 20, maxLength: 20 });

/** CRC-32 (ISO-HDLC) bit by bit, as it is defined. */
function computeCrc32(text: string): number {
  let register = 0xffff_ffff;
  for (const byte of new TextEncoder().encode(text)) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      register = register & 1 ? (register >>> 1) ^ 0xedb8_8320 : register >>> 1;
    }
  }
  return ~register >>> 0;
}

function encodeBase62(value: bigint, width: number): string {
  let digits = "";
  for (let rest = value; rest > 0n; rest /= 62n)
    digits = alphabet.charAt(Number(rest % 62n)) + digits;
  return digits.padStart(width, "0");
}

/** Builds a token from any 43 digits, with the matching checksum. */
function buildToken(payload: string, prefix = "idp_live_"): string {
  const text = prefix + payload;
  return text + encodeBase62(BigInt(computeCrc32(text)), 6);
}

describe("a token", () => {
  test("consists of its prefix and 49 base62 digits", () => {
    fc.assert(
      fc.property(modes, tenants, randoms, (mode, tenant, random) => {
        const token = formatApiToken(mode, tenant, random);
        expect(token).toMatch(form);
        expect(token.startsWith(`idp_${mode}_`)).toBe(true);
      }),
    );
  });

  test("has the same length for the smallest and the largest payload", () => {
    const smallest = formatApiToken("live", "0".repeat(24), new Uint8Array(20));
    const largest = formatApiToken("live", "f".repeat(24), new Uint8Array(20).fill(0xff));
    expect(smallest.slice(0, 52)).toBe(`idp_live_${"0".repeat(43)}`);
    expect(largest).toHaveLength(smallest.length);
    expect(parseApiToken(smallest)).toEqual({ mode: "live", tenantId: "0".repeat(24) });
    expect(parseApiToken(largest)).toEqual({ mode: "live", tenantId: "f".repeat(24) });
  });

  test("is parsed into its mode and tenant, for any mode and tenant", () => {
    fc.assert(
      fc.property(modes, tenants, randoms, (mode, tenant, random) => {
        expect(parseApiToken(formatApiToken(mode, tenant, random))).toEqual({
          mode,
          tenantId: tenant,
        });
      }),
      { numRuns: 300 },
    );
  });

  test("encodes tenant and random bytes in base62 and ends with their CRC-32", () => {
    expect(computeCrc32("123456789")).toBe(0xcbf4_3926);
    fc.assert(
      fc.property(modes, tenants, randoms, (mode, tenant, random) => {
        const hex = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        const payload = encodeBase62(BigInt(`0x${tenant}${hex}`), 43);
        expect(formatApiToken(mode, tenant, random)).toBe(buildToken(payload, `idp_${mode}_`));
      }),
      { numRuns: 300 },
    );
  });

  test("is different each time it is created", () => {
    const tokens = Array.from({ length: 500 }, () => createApiToken("live", tenantId));
    expect(new Set(tokens).size).toBe(500);
    for (const token of tokens) expect(parseApiToken(token)).toEqual({ mode: "live", tenantId });
  });
});

describe("a token is rejected", () => {
  test("when any one character is changed", () => {
    fc.assert(
      fc.property(
        modes,
        tenants,
        randoms,
        fc.nat(57),
        fc.oneof(fc.constantFrom(...alphabet), fc.string({ minLength: 1, maxLength: 1 })),
        (mode, tenant, random, index, character) => {
          const token = formatApiToken(mode, tenant, random);
          fc.pre(token[index] !== character);
          const changed = token.slice(0, index) + character + token.slice(index + 1);
          expect(parseApiToken(changed)).toBeUndefined();
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("when two neighbouring characters are swapped", () => {
    const token = createApiToken("live", tenantId);
    for (let index = 0; index + 1 < token.length; index += 1) {
      const [left = "", right = ""] = token.slice(index, index + 2);
      if (left !== right) {
        const changed = token.slice(0, index) + right + left + token.slice(index + 2);
        expect(parseApiToken(changed)).toBeUndefined();
      }
    }
  });

  test.each([
    ["live", "test"],
    ["test", "live"],
  ] as const)("when a %s token claims to be a %s token", (mode, claimed) => {
    const token = createApiToken(mode, tenantId);
    expect(parseApiToken(token)).toBeDefined();
    expect(parseApiToken(token.replace(mode, claimed))).toBeUndefined();
  });

  test.each([
    ["no text", () => ""],
    ["an unknown mode and the right checksum", () => buildToken("0".repeat(43), "idp_prod_")],
    ["a prefix in capitals", () => buildToken("0".repeat(43), "IDP_LIVE_")],
    ["another prefix", () => buildToken("0".repeat(43), "sk_live_")],
    ["42 digits", () => buildToken("0".repeat(42))],
    ["44 digits", () => buildToken("0".repeat(44))],
    ["a digit outside the alphabet", () => buildToken(`-${"0".repeat(42)}`)],
    ["no checksum", () => createApiToken("live", tenantId).slice(0, 52)],
    ["a leading space", () => ` ${createApiToken("live", tenantId)}`],
    ["a trailing line feed", () => `${createApiToken("live", tenantId)}\n`],
    ["one more character", () => `${createApiToken("live", tenantId)}0`],
    ["base64url instead of base62", () => `idp_live_${base64urlnopad.encode(new Uint8Array(32))}`],
  ])("when it has %s", (_, token) => {
    expect(parseApiToken(token())).toBeUndefined();
  });

  test("when its digits encode more than 256 bits, even with the right checksum", () => {
    const maxPayload = encodeBase62(2n ** 256n - 1n, 43);
    expect(parseApiToken(buildToken(maxPayload))).toEqual({
      mode: "live",
      tenantId: "f".repeat(24),
    });
    expect(parseApiToken(buildToken(encodeBase62(2n ** 256n, 43)))).toBeUndefined();
    expect(parseApiToken(buildToken("z".repeat(43)))).toBeUndefined();
  });

  test("when its checksum encodes more than 32 bits", () => {
    const token = createApiToken("live", tenantId);
    const text = token.slice(0, -6);
    const tooLarge = encodeBase62(BigInt(computeCrc32(text)) + 2n ** 32n, 6);
    expect(tooLarge).toHaveLength(6);
    expect(parseApiToken(text + tooLarge)).toBeUndefined();
  });

  test("when it is any other text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 70 }), (text) => {
        expect(parseApiToken(text)).toBeUndefined();
      }),
    );
  });
});

test("a token is stored as its SHA-256", async () => {
  const token = createApiToken("test", tenantId);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  const hex = [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  expect(await hashApiToken(token)).toBe(hex);
});
