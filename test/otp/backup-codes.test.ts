import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  codesPerSet,
  createBackupCodes,
  hashBackupCode,
  normaliseBackupCode,
} from "../../src/otp/backup-codes.ts";

const letters = "ABCDEFGHJKLMNPRSTUVWXYZ";
const digits = "0123456789";
const form = /^[ABCDEFGHJKLMNPRSTUVWXYZ]{4}-[0-9]{4}$/;

describe("a new set", () => {
  test("has ten distinct codes of four letters, a dash and four digits", () => {
    expect(codesPerSet).toBe(10);
    for (let set = 0; set < 500; set += 1) {
      const codes = createBackupCodes();
      expect(codes).toHaveLength(10);
      expect(new Set(codes).size).toBe(10);
      for (const code of codes) {
        expect(code).toMatch(form);
        expect(normaliseBackupCode(code)).toBe(code);
      }
    }
  });

  test("discards each random byte that would favour a letter or a digit", () => {
    // 253 is 11 times 23 and 250 is 25 times 10. From there on only a part of the alphabet remains.
    const letterBytes = [253, 252, 255, 1, 2, 3];
    const digitBytes = [250, 249, 255, 1, 2, 3];
    const bytes = [...letterBytes, ...digitBytes];
    const draw = vi.spyOn(crypto, "getRandomValues");
    const real = new Uint8Array(2_000);
    crypto.getRandomValues(real);
    bytes.push(...real.filter((byte) => byte < 250));
    draw.mockImplementation((array) => {
      if (array instanceof Uint8Array) array[0] = bytes.shift() ?? 0;
      return array;
    });
    try {
      expect(createBackupCodes()[0]).toBe("ZBCD-9123");
    } finally {
      draw.mockRestore();
    }
  });

  test("contains every letter and every digit equally often", () => {
    const codes = Array.from({ length: 6_000 }, createBackupCodes).flat();
    const parts = [
      // A fair draw exceeds these bounds of chi-square (22 and 9 degrees of freedom) less than once in
      // 10^9 runs. Bytes modulo 23 or 10, without the discards, would give about 240 and 100.
      { alphabet: letters, positions: [0, 1, 2, 3], maxChiSquare: 95 },
      { alphabet: digits, positions: [5, 6, 7, 8], maxChiSquare: 66 },
    ];
    for (const { alphabet, positions, maxChiSquare } of parts) {
      for (const chosen of [positions, ...positions.map((position) => [position])]) {
        const counts = new Map([...alphabet].map((character) => [character, 0]));
        for (const code of codes) {
          for (const position of chosen) {
            const drawn = code.charAt(position);
            counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
          }
        }
        expect(counts.size).toBe(alphabet.length);
        const expected = (codes.length * chosen.length) / alphabet.length;
        const chiSquare = [...counts.values()].reduce(
          (sum, count) => sum + (count - expected) ** 2 / expected,
          0,
        );
        expect(chiSquare).toBeLessThan(maxChiSquare);
      }
    }
  });

  test("shares codes with other sets no more often than chance allows", () => {
    // There are 23⁴ · 10⁴ codes: the chance of a pair among 100 is about 2 in a million.
    const codes = Array.from({ length: 10 }, createBackupCodes).flat();
    expect(new Set(codes).size).toBeGreaterThanOrEqual(99);
  });
});

describe("the normal form of a code", () => {
  const spelledCodes = fc.tuple(
    fc.string({ unit: fc.constantFrom(...letters), minLength: 4, maxLength: 4 }),
    fc.string({ unit: fc.constantFrom(...digits), minLength: 4, maxLength: 4 }),
    fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    fc.constantFrom("-", ""),
  );

  test("does not depend on case or on the dash", () => {
    fc.assert(
      fc.property(spelledCodes, ([first, last, isLower, dash]) => {
        const mixed = [...first].map((letter, index) =>
          isLower[index] ? letter.toLowerCase() : letter,
        );
        expect(normaliseBackupCode(`${mixed.join("")}${dash}${last}`)).toBe(`${first}-${last}`);
      }),
    );
  });

  test("is its own normal form", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 12 }), (text) => {
        const once = normaliseBackupCode(text);
        if (once !== undefined) {
          expect(once).toMatch(form);
          expect(normaliseBackupCode(once)).toBe(once);
        }
      }),
    );
  });

  test.each([
    ["empty text", ""],
    ["three letters", "ABC-1234"],
    ["five letters", "ABCDE-1234"],
    ["three digits", "ABCD-123"],
    ["five digits", "ABCD-12345"],
    ["digits first", "1234-ABCD"],
    ["six digits", "123456"],
    ["two dashes", "ABCD--1234"],
    ["a dash in another position", "ABC-D1234"],
    ["an en dash", "ABCD–1234"],
    ["a minus sign", "ABCD−1234"],
    ["a non-breaking hyphen", "ABCD‑1234"],
    ["a leading space", " ABCD-1234"],
    ["a trailing space", "ABCD-1234 "],
    ["a space instead of the dash", "ABCD 1234"],
    ["a trailing line feed", "ABCD-1234\n"],
    ["a second line", "ABCD-1234\nEFGH-5678"],
    ["the letter I", "ABCI-1234"],
    ["the letter i", "abci-1234"],
    ["the letter O", "ABCO-1234"],
    ["the letter o", "abco-1234"],
    ["the letter Q", "ABCQ-1234"],
    ["the letter q", "abcq-1234"],
    ["a dotless ı", "ABCı-1234"],
    ["a dotted İ", "ABCİ-1234"],
    ["the Kelvin sign", "ABC\u212a-1234"],
    ["a long ſ", "ABC\u017f-1234"],
    ["a full-width letter", "ＡBCD-1234"],
    ["a full-width digit", "ABCD-１234"],
    ["an Arabic-Indic digit", "ABCD-١234"],
    ["a Cyrillic А", "\u0410BCD-1234"],
    ["a combining accent", "ABCD\u0301-1234"],
    ["a zero-width space", "ABCD-12\u200b34"],
    ["a NUL", "ABCD-1234\0"],
  ])("does not exist for %s", (_, text) => {
    expect(normaliseBackupCode(text)).toBeUndefined();
  });
});

describe("the hash of a code", () => {
  const key = new Uint8Array(32).fill(7);
  const tenant = "0123456789abcdef01234567";
  const identity = "89abcdef0123456789abcdef";
  const code = "ABCD-1234";
  const referenceHash = hashBackupCode(key, tenant, identity, code);

  test("is HMAC-SHA-256 over tenant, identity, purpose and code, in hex", async () => {
    const imported = await crypto.subtle.importKey(
      "raw",
      key,
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const message = new TextEncoder().encode(`${tenant}\0${identity}\0backup_code\0${code}`);
    const mac = new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
    const hex = [...mac].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    expect(referenceHash).toBe(hex);
  });

  test("is the same for the same code", () => {
    expect(hashBackupCode(new Uint8Array(key), tenant, identity, code)).toBe(referenceHash);
  });

  test.each([
    ["key", () => hashBackupCode(new Uint8Array(32).fill(8), tenant, identity, code)],
    ["tenant", () => hashBackupCode(key, identity, identity, code)],
    ["identity", () => hashBackupCode(key, tenant, tenant, code)],
    ["code", () => hashBackupCode(key, tenant, identity, "ABCD-1235")],
    ["order of tenant and identity", () => hashBackupCode(key, identity, tenant, code)],
  ])("is different for another %s", (_, hash) => {
    expect(hash()).toMatch(/^[0-9a-f]{64}$/);
    expect(hash()).not.toBe(referenceHash);
  });
});
