import { base64urlnopad } from "@scure/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hashApiToken,
  formatApiToken,
  type Mode,
  createApiToken,
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

/** CRC-32 (ISO-HDLC) bit by bit, as its definition has it. */
function crc32(text: string): number {
  let register = 0xffff_ffff;
  for (const byte of new TextEncoder().encode(text)) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit += 1) {
      register = register & 1 ? (register >>> 1) ^ 0xedb8_8320 : register >>> 1;
    }
  }
  return ~register >>> 0;
}

function base62(value: bigint, width: number): string {
  let digits = "";
  for (let rest = value; rest > 0n; rest /= 62n)
    digits = alphabet.charAt(Number(rest % 62n)) + digits;
  return digits.padStart(width, "0");
}

/** A token around any 43 digits, with the checksum that belongs to it. */
function tokenAround(payload: string, prefix = "idp_live_"): string {
  const text = prefix + payload;
  return text + base62(BigInt(crc32(text)), 6);
}

describe("a token", () => {
  test("is its prefix and 49 base62 digits", () => {
    fc.assert(
      fc.property(modes, tenants, randoms, (mode, tenant, random) => {
        const token = formatApiToken(mode, tenant, random);
        expect(token).toMatch(form);
        expect(token.startsWith(`idp_${mode}_`)).toBe(true);
      }),
    );
  });

  test("is as wide for the least payload as for the greatest", () => {
    const least = formatApiToken("live", "0".repeat(24), new Uint8Array(20));
    const greatest = formatApiToken("live", "f".repeat(24), new Uint8Array(20).fill(0xff));
    expect(least.slice(0, 52)).toBe(`idp_live_${"0".repeat(43)}`);
    expect(greatest).toHaveLength(least.length);
    expect(parseApiToken(least)).toEqual({ mode: "live", tenantId: "0".repeat(24) });
    expect(parseApiToken(greatest)).toEqual({ mode: "live", tenantId: "f".repeat(24) });
  });

  test("gives back its mode and tenant, whatever they are", () => {
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

  test("is the number made of tenant and random bytes, in base62, with its CRC-32", () => {
    expect(crc32("123456789")).toBe(0xcbf4_3926);
    fc.assert(
      fc.property(modes, tenants, randoms, (mode, tenant, random) => {
        const hex = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
        const payload = base62(BigInt(`0x${tenant}${hex}`), 43);
        expect(formatApiToken(mode, tenant, random)).toBe(tokenAround(payload, `idp_${mode}_`));
      }),
      { numRuns: 300 },
    );
  });

  test("is another one each time it is made", () => {
    const tokens = Array.from({ length: 500 }, () => createApiToken("live", tenantId));
    expect(new Set(tokens).size).toBe(500);
    for (const token of tokens) expect(parseApiToken(token)).toEqual({ mode: "live", tenantId });
  });
});

describe("a token is refused", () => {
  test("with any one character changed", () => {
    fc.assert(
      fc.property(
        modes,
        tenants,
        randoms,
        fc.nat(57),
        fc.oneof(fc.constantFrom(...alphabet), fc.string({ minLength: 1, maxLength: 1 })),
        (mode, tenant, random, place, character) => {
          const token = formatApiToken(mode, tenant, random);
          fc.pre(token[place] !== character);
          const changed = token.slice(0, place) + character + token.slice(place + 1);
          expect(parseApiToken(changed)).toBeUndefined();
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("with two neighbours exchanged", () => {
    const token = createApiToken("live", tenantId);
    for (let place = 0; place + 1 < token.length; place += 1) {
      const [left = "", right = ""] = token.slice(place, place + 2);
      if (left !== right) {
        const changed = token.slice(0, place) + right + left + token.slice(place + 2);
        expect(parseApiToken(changed)).toBeUndefined();
      }
    }
  });

  test.each([
    ["live", "test"],
    ["test", "live"],
  ] as const)("when a %s token says that it is %s", (mode, claimed) => {
    const token = createApiToken(mode, tenantId);
    expect(parseApiToken(token)).toBeDefined();
    expect(parseApiToken(token.replace(mode, claimed))).toBeUndefined();
  });

  test.each([
    ["nothing", () => ""],
    ["another mode, with the right checksum", () => tokenAround("0".repeat(43), "idp_prod_")],
    ["a prefix in capitals", () => tokenAround("0".repeat(43), "IDP_LIVE_")],
    ["another prefix", () => tokenAround("0".repeat(43), "sk_live_")],
    ["42 digits", () => tokenAround("0".repeat(42))],
    ["44 digits", () => tokenAround("0".repeat(44))],
    ["a digit outside the alphabet", () => tokenAround(`-${"0".repeat(42)}`)],
    ["no checksum", () => createApiToken("live", tenantId).slice(0, 52)],
    ["a space before", () => ` ${createApiToken("live", tenantId)}`],
    ["a line end after", () => `${createApiToken("live", tenantId)}\n`],
    ["something after", () => `${createApiToken("live", tenantId)}0`],
    ["base64url instead of base62", () => `idp_live_${base64urlnopad.encode(new Uint8Array(32))}`],
  ])("with %s", (_, token) => {
    expect(parseApiToken(token())).toBeUndefined();
  });

  test("when its digits say more than 256 bits, though the checksum is right", () => {
    const most = base62(2n ** 256n - 1n, 43);
    expect(parseApiToken(tokenAround(most))).toEqual({ mode: "live", tenantId: "f".repeat(24) });
    expect(parseApiToken(tokenAround(base62(2n ** 256n, 43)))).toBeUndefined();
    expect(parseApiToken(tokenAround("z".repeat(43)))).toBeUndefined();
  });

  test("when its checksum says more than 32 bits", () => {
    const token = createApiToken("live", tenantId);
    const text = token.slice(0, -6);
    const tooGreat = base62(BigInt(crc32(text)) + 2n ** 32n, 6);
    expect(tooGreat).toHaveLength(6);
    expect(parseApiToken(text + tooGreat)).toBeUndefined();
  });

  test("whatever text it is, unless it has the form of one", () => {
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
  expect(hashApiToken(token)).toBe(hex);
});
