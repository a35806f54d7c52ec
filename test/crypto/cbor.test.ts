import { hex } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CborValue,
  type DecodedCbor,
  decodeCbor,
  decodeFirstCbor,
  encodeCbor,
} from "../../src/crypto/cbor.ts";

function decode(text: string): DecodedCbor {
  return decodeCbor(hex.decode(text.replaceAll(" ", "")));
}

/** Values of RFC 8949, appendix A, that have one encoding only. */
const values: readonly (readonly [string, CborValue])[] = [
  ["00", 0],
  ["17", 23],
  ["18 18", 24],
  ["18 ff", 255],
  ["19 0100", 256],
  ["1a 00010000", 65_536],
  ["1b 0000000100000000", 2 ** 32],
  ["1b 001fffffffffffff", Number.MAX_SAFE_INTEGER],
  ["20", -1],
  ["38 18", -25],
  ["39 0100", -257],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["fb 3ff199999999999a", 1.1],
  ["40", new Uint8Array()],
  ["43 010203", new Uint8Array([1, 2, 3])],
  ["60", ""],
  ["63 e6b0b4", "水"],
  ["80", []],
  ["82 01 81 02", [1, [2]]],
  ["64 efbbbf61", "\ufeffa"],
];

/** Maps, which are decoded alone. */
const maps: readonly (readonly [string, DecodedCbor])[] = [
  ["a0", new Map()],
  [
    "a4 01 02 18 64 03 20 04 61 61 05",
    new Map<string | number, DecodedCbor>([
      [1, 2],
      [100, 3],
      [-1, 4],
      ["a", 5],
    ]),
  ],
  [
    "a2 61 61 01 61 62 02",
    new Map<string, DecodedCbor>([
      ["a", 1],
      ["b", 2],
    ]),
  ],
  // Shorter keys come first, whatever their letters.
  [
    "a2 61 7a 01 62 61 61 02",
    new Map<string, DecodedCbor>([
      ["z", 1],
      ["aa", 2],
    ]),
  ],
];

const malformed: Readonly<Record<string, string>> = {
  nothing: "",
  "a head that is too long (1 byte)": "18 17",
  "a head that is too long (2 bytes)": "19 00ff",
  "a head that is too long (4 bytes)": "1a 0000ffff",
  "a head that is too long (8 bytes)": "1b 00000000ffffffff",
  "a length that is too long": "58 03 010203",
  "a number above 2^53": "1b 0020000000000000",
  "2^53 items": "9b 0020000000000000",
  "2^53 - 1 items": "9b 001fffffffffffff",
  "2^53 - 1 entries": "bb 001fffffffffffff",
  "2^32 bytes": "5b 0000000100000000",
  "bytes that end early": "43 0102",
  "text that ends early": "63 6161",
  "an array that ends early": "82 01",
  "a map that ends early": "a1 01",
  "a head that ends early": "19 01",
  "an array of indefinite length": "9f 01 ff",
  "a map of indefinite length": "bf 01 01 ff",
  "bytes of indefinite length": "5f 41 01 ff",
  "text of indefinite length": "7f 61 61 ff",
  "a break alone": "ff",
  "a reserved length": "1c",
  "a tag": "c0 00",
  undefined: "f7",
  "a simple value": "f0",
  "a simple value of two bytes": "f8 20",
  "false in two bytes": "f8 14",
  "a float of 16 bits": "f9 3c00",
  "a float of 32 bits": "fa 3f800000",
  "a doubled key": "a2 01 01 01 02",
  "a doubled key of text": "a2 61 61 01 61 61 02",
  "keys out of order": "a2 02 01 01 02",
  "a longer key first": "a2 62 61 61 01 61 7a 02",
  "text before numbers": "a2 61 61 01 01 02",
  "negative before positive": "a2 20 01 01 02",
  "a key that is bytes": "a1 41 01 01",
  "a key that is an array": "a1 80 01",
  "a key that is a map": "a1 a0 01",
  "a key that is null": "a1 f6 01",
  "a key that is a float alone": "a1 fb 3ff0000000000000 01",
  "a key that is a float": "a2 01 01 fb 3ff0000000000000 01",
};

describe("CBOR", () => {
  it.each([...values, ...maps])("decodes %s", (text, value) => {
    expect(decode(text)).toEqual(value);
  });

  it.each(values)("encodes %s", (text, value) => {
    expect(hex.encode(encodeCbor(value))).toBe(text.replaceAll(" ", ""));
  });

  it.each(Object.entries(malformed))("refuses %s", (_name, text) => {
    expect(() => decodeFirstCbor(hex.decode(text.replaceAll(" ", "")))).toThrow(RangeError);
  });

  it("refuses text that is not UTF-8, and a second value", () => {
    expect(() => decode("62 c328")).toThrow(TypeError);
    expect(() => decode("00 00")).toThrow(RangeError);
  });

  it.each(["81", "a100"])("decodes 16 levels, and no more (%s)", (head) => {
    expect(() => decode(`${head.repeat(16)}00`)).not.toThrow();
    expect(() => decode(`${head.repeat(17)}00`)).toThrow(/deep/);
  });

  it.each(["81", "a1 00", "a1"])("refuses values that are 8,000 deep (%s)", (head) => {
    const bytes = hex.decode(`${head.replaceAll(" ", "").repeat(8000)}00`);
    expect(() => decodeCbor(bytes)).toThrow(/deep|key/);
  });

  it("finds the end of the first value", () => {
    const bytes = hex.decode("a1010280");
    expect(decodeFirstCbor(bytes)).toEqual({ value: new Map([[1, 2]]), length: 3 });
  });

  it("decodes what it encodes, and only in that form", () => {
    const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, false),
        fc.maxSafeInteger(),
        fc.double(),
        fc.string({ unit: "grapheme" }),
        fc.uint8Array(),
        fc.array(tie("value"), { maxLength: 5 }),
      ),
    }));
    fc.assert(
      fc.property(value, (one) => {
        expect(decodeCbor(encodeCbor(one))).toEqual(one);
      }),
    );
  });

  it("decodes any bytes to a value, or fails in a way that callers expect", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodeFirstCbor(bytes);
        } catch (error) {
          expect(error instanceof RangeError || error instanceof TypeError).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
