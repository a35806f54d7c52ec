import { base64 } from "@scure/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyOf, MissingKeyError, parseKey, parseKeyring } from "../../src/crypto/keyring.ts";

function generateBytes(length = 32): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

const first = generateBytes();
const second = generateBytes();

describe("one key", () => {
  test("is 32 bytes in base64", () => {
    expect(parseKey(base64.encode(first))).toEqual(first);
  });

  test("is accepted when it is random", () => {
    for (let draw = 0; draw < 200; draw += 1) {
      const key = generateBytes();
      expect(parseKey(base64.encode(key))).toEqual(key);
    }
  });

  test.each([
    ["invalid characters", "not base64!"],
    ["two characters too few", base64.encode(first).slice(0, -2)],
    ["no padding", base64.encode(first).replace("=", "")],
    ["the URL alphabet", base64.encode(first).replace(/^../, "-_")],
    ["a leading space", ` ${base64.encode(first)}`],
    ["a trailing line feed", `${base64.encode(first)}\n`],
  ])("is rejected as base64 that has %s", (_, text) => {
    expect(parseKey(text)).toBe("is not base64");
  });

  test.each([0, 1, 16, 31, 33, 64])("is rejected when it has %i bytes", (length) => {
    expect(parseKey(base64.encode(generateBytes(length)))).toBe(`holds ${length} bytes, not 32`);
  });

  test.each([
    ["only zeros", new Uint8Array(32)],
    ["one repeated byte", new Uint8Array(32).fill(0xa5)],
    ["a short repeated pattern", Uint8Array.from({ length: 32 }, (_, index) => index % 9)],
    ["a repeated word", new TextEncoder().encode("changeme".repeat(4))],
  ])("is rejected as a placeholder when it contains %s", (_, bytes) => {
    expect(parseKey(base64.encode(bytes))).toBe("is a placeholder, not random");
  });
});

describe("a key of few distinct bytes", () => {
  const buildKey = (distinct: number) =>
    Uint8Array.from({ length: 32 }, (_, index) => index % distinct);

  test("is accepted from ten distinct bytes on, so that a random key is never rejected", () => {
    expect(parseKey(base64.encode(buildKey(10)))).toEqual(buildKey(10));
    expect(parseKey(base64.encode(buildKey(9)))).toBe("is a placeholder, not random");
  });
});

describe("a keyring", () => {
  test("can contain one key, which is then the newest", () => {
    expect(parseKeyring(`1:${base64.encode(first)}`)).toEqual({
      newest: 1,
      keys: new Map([[1, first]]),
    });
  });

  test.each([
    ["in order", `2:${base64.encode(first)},11:${base64.encode(second)}`],
    ["in any order", `11:${base64.encode(second)},2:${base64.encode(first)}`],
    [
      "with white space around the entries",
      ` 2:${base64.encode(first)} ,\n 11:${base64.encode(second)}\n`,
    ],
  ])("can contain several keys, of which the greatest version is the newest (%s)", (_, text) => {
    expect(parseKeyring(text)).toEqual({
      newest: 11,
      keys: new Map([
        [2, first],
        [11, second],
      ]),
    });
  });

  test.each([
    ["no text", ""],
    ["no version", base64.encode(first)],
    ["version 0", `0:${base64.encode(first)}`],
    ["a leading zero", `01:${base64.encode(first)}`],
    ["a negative version", `-1:${base64.encode(first)}`],
    ["a fraction", `1.5:${base64.encode(first)}`],
    ["a version that is not a number", `one:${base64.encode(first)}`],
    ["a version of seven digits", `1000000:${base64.encode(first)}`],
    ["no key", "1:"],
    ["a trailing comma", `1:${base64.encode(first)},`],
    ["a semicolon as the separator", `1:${base64.encode(first)}; 2:${base64.encode(second)}`],
  ])("is rejected as malformed when it has %s", (_, text) => {
    expect(parseKeyring(text)).toBe("is not of the form version:base64[,version:base64]");
  });

  test("is rejected when it contains a version twice", () => {
    const text = `3:${base64.encode(first)},3:${base64.encode(second)}`;
    expect(parseKeyring(text)).toBe("names version 3 twice");
  });

  test.each([
    ["not base64", "***", "version 2 is not base64"],
    ["short", base64.encode(generateBytes(16)), "version 2 holds 16 bytes, not 32"],
    ["a placeholder", base64.encode(new Uint8Array(32)), "version 2 is a placeholder, not random"],
  ])("is rejected with the version of the key that is %s", (_, key, message) => {
    expect(parseKeyring(`1:${base64.encode(first)},2:${key}`)).toBe(message);
  });

  test("never contains a key in the error message", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 48 }), fc.nat(20), (bytes, cut) => {
        const encoded = base64.encode(bytes);
        const parsed = parseKeyring(`1:${encoded.slice(0, -cut)}`);
        if (typeof parsed === "string") expect(parsed).not.toContain(encoded.slice(0, 12));
      }),
    );
  });
});

describe("the key of a version", () => {
  const keyring = {
    newest: 2,
    keys: new Map([
      [1, first],
      [2, second],
    ]),
  };

  test("is found for an old and for the newest version", () => {
    expect(keyOf(keyring, 1)).toBe(first);
    expect(keyOf(keyring, 2)).toBe(second);
  });

  test("throws a MissingKeyError that names the version when the key was removed too early", () => {
    expect(() => keyOf(keyring, 3)).toThrow(MissingKeyError);
    expect(() => keyOf(keyring, 3)).toThrow("No key of version 3 is in the keyring");
    // The log shows only the name of the error.
    expect(() => keyOf(keyring, 3)).toThrow(expect.objectContaining({ name: "MissingKeyError" }));
  });
});
