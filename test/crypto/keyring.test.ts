import { base64 } from "@scure/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyOf, MissingKeyError, parseKey, parseKeyring } from "../../src/crypto/keyring.ts";

function random(length = 32): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

const first = random();
const second = random();

describe("one key", () => {
  test("is 32 bytes in base64", () => {
    expect(parseKey(base64.encode(first))).toEqual(first);
  });

  test("is read whenever it is random", () => {
    for (let draw = 0; draw < 200; draw += 1) {
      const key = random();
      expect(parseKey(base64.encode(key))).toEqual(key);
    }
  });

  test.each([
    ["a word", "not base64!"],
    ["one digit too few", base64.encode(first).slice(0, -2)],
    ["no padding", base64.encode(first).replace("=", "")],
    ["the URL alphabet", base64.encode(first).replace(/^../, "-_")],
    ["a space before", ` ${base64.encode(first)}`],
    ["a line end after", `${base64.encode(first)}\n`],
  ])("is refused as base64 with %s", (_, text) => {
    expect(parseKey(text)).toBe("is not base64");
  });

  test.each([0, 1, 16, 31, 33, 64])("is refused at %i bytes", (length) => {
    expect(parseKey(base64.encode(random(length)))).toBe(`holds ${length} bytes, not 32`);
  });

  test.each([
    ["only zeros", new Uint8Array(32)],
    ["one byte repeated", new Uint8Array(32).fill(0xa5)],
    ["a short pattern repeated", Uint8Array.from({ length: 32 }, (_, index) => index % 9)],
    ["a word repeated", new TextEncoder().encode("changeme".repeat(4))],
  ])("is refused as a placeholder when it holds %s", (_, bytes) => {
    expect(parseKey(base64.encode(bytes))).toBe("is a placeholder, not random");
  });
});

describe("a key of few distinct bytes", () => {
  const of = (distinct: number) => Uint8Array.from({ length: 32 }, (_, index) => index % distinct);

  test("is taken from ten on, so that no key that was drawn is ever refused", () => {
    expect(parseKey(base64.encode(of(10)))).toEqual(of(10));
    expect(parseKey(base64.encode(of(9)))).toBe("is a placeholder, not random");
  });
});

describe("a keyring", () => {
  test("holds one key, which is the newest", () => {
    expect(parseKeyring(`1:${base64.encode(first)}`)).toEqual({
      newest: 1,
      keys: new Map([[1, first]]),
    });
  });

  test.each([
    ["in order", `2:${base64.encode(first)},11:${base64.encode(second)}`],
    ["in any order", `11:${base64.encode(second)},2:${base64.encode(first)}`],
    [
      "with space around the entries",
      ` 2:${base64.encode(first)} ,\n 11:${base64.encode(second)}\n`,
    ],
  ])("holds several, the greatest number the newest: %s", (_, text) => {
    expect(parseKeyring(text)).toEqual({
      newest: 11,
      keys: new Map([
        [2, first],
        [11, second],
      ]),
    });
  });

  test.each([
    ["nothing", ""],
    ["no version", base64.encode(first)],
    ["version 0", `0:${base64.encode(first)}`],
    ["a leading zero", `01:${base64.encode(first)}`],
    ["a negative version", `-1:${base64.encode(first)}`],
    ["a fraction", `1.5:${base64.encode(first)}`],
    ["a word for a version", `one:${base64.encode(first)}`],
    ["a version of seven digits", `1000000:${base64.encode(first)}`],
    ["no key", "1:"],
    ["a comma at the end", `1:${base64.encode(first)},`],
    ["a semicolon between", `1:${base64.encode(first)}; 2:${base64.encode(second)}`],
  ])("is refused for its form with %s", (_, text) => {
    expect(parseKeyring(text)).toBe("is not of the form version:base64[,version:base64]");
  });

  test("is refused when it names a version twice", () => {
    const text = `3:${base64.encode(first)},3:${base64.encode(second)}`;
    expect(parseKeyring(text)).toBe("names version 3 twice");
  });

  test.each([
    ["not base64", "***", "version 2 is not base64"],
    ["short", base64.encode(random(16)), "version 2 holds 16 bytes, not 32"],
    ["a placeholder", base64.encode(new Uint8Array(32)), "version 2 is a placeholder, not random"],
  ])("is refused with the version of a key that is %s", (_, key, message) => {
    expect(parseKeyring(`1:${base64.encode(first)},2:${key}`)).toBe(message);
  });

  test("never repeats a key in what is wrong with it", () => {
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

  test("is found by its version, old or new", () => {
    expect(keyOf(keyring, 1)).toBe(first);
    expect(keyOf(keyring, 2)).toBe(second);
  });

  test("fails loudly when it was removed too early, and says which it was", () => {
    expect(() => keyOf(keyring, 3)).toThrow(MissingKeyError);
    expect(() => keyOf(keyring, 3)).toThrow("No key of version 3 is in the keyring");
    // The kind is all that the log tells of a failure.
    expect(() => keyOf(keyring, 3)).toThrow(expect.objectContaining({ name: "MissingKeyError" }));
  });
});
