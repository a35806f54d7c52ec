import { base32, base64, base64url, hex } from "@scure/base";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeSecret, maxSecretBytes, minSecretBytes } from "../../src/otp/decode-secret.ts";

const secrets = fc
  .uint8Array({ minLength: minSecretBytes, maxLength: maxSecretBytes })
  .map((bytes) => new Uint8Array(bytes));

/** The text with white space in between, in any case, with its padding or without. */
function spellings(text: string, hasCases: boolean) {
  const gaps = fc.array(fc.constantFrom("", "", "", " ", "\n", "\t"), { minLength: 1 });
  return fc
    .record({ gaps, cases: fc.infiniteStream(fc.boolean()), isPadded: fc.boolean() })
    .map(({ gaps: spaces, cases, isPadded }) => {
      const spelled = isPadded ? text : text.replace(/=+$/, "");
      return [...spelled]
        .map((letter, index) => {
          const isUpper = cases.next().value === true;
          const cased = isUpper ? letter.toUpperCase() : letter.toLowerCase();
          return (spaces[index % spaces.length] ?? "") + (hasCases ? cased : letter);
        })
        .join("");
    });
}

const spelled = secrets.chain((bytes) =>
  fc.oneof(
    spellings(base32.encode(bytes), true).map((text) => ({
      bytes,
      text,
      encoding: "base32" as const,
    })),
    spellings(hex.encode(bytes), true).map((text) => ({ bytes, text, encoding: "hex" as const })),
    ...[base64, base64url].map((coder) =>
      spellings(coder.encode(bytes), false).map((text) => ({
        bytes,
        text,
        encoding: "base64" as const,
      })),
    ),
  ),
);

test("Every spelling of a secret is read as the same bytes", () => {
  fc.assert(
    fc.property(spelled, ({ bytes, text, encoding }) => {
      expect(decodeSecret(text, encoding)).toEqual(bytes);
    }),
  );
});

test("The last letter of base32 may have bits that no byte has, as in secrets whose letters are drawn", () => {
  expect(decodeSecret("ABCDEFGHIJKLMNOPQR", "base32")).toEqual(
    decodeSecret("ABCDEFGHIJKLMNOPQQ", "base32"),
  );
  expect(decodeSecret("ABCDEFGHIJKLMNOPQQ", "base32")).toHaveLength(11);
});

test.each([
  ["base32", ""],
  ["base32", "ABCDEFGHIJKLMNO"],
  ["base32", "ABCDEFGHIJKLMNOPQ"],
  ["base32", "ABCDEFGHIJKLMNO1"],
  ["base32", "=ABCDEFGHIJKLMNOP"],
  ["base32", "ABCDEFGH=IJKLMNOP"],
  ["base32", "\u017fBCDEFGHIJKLMNOP"],
  ["base32", "A".repeat(206)],
  ["hex", "00112233445566778"],
  ["hex", "0011223344556677889g"],
  ["hex", "001122334455667788"],
  ["hex", "00".repeat(129)],
  ["base64", "AAAAAAAAAAAAA"],
  ["base64", "AAAAAAAAAAAA!AAA"],
] as const)("reads no secret from the %s %j", (encoding, text) => {
  expect(decodeSecret(text, encoding)).toBeUndefined();
});

test("No text makes it throw, and whatever is read has a possible length", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.constantFrom("base32", "hex", "base64"),
      (text, encoding) => {
        const length = decodeSecret(text, encoding)?.length ?? minSecretBytes;
        expect(length).toBeGreaterThanOrEqual(minSecretBytes);
        expect(length).toBeLessThanOrEqual(maxSecretBytes);
      },
    ),
  );
});
