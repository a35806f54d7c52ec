import { base32nopad } from "@scure/base";
import fc from "fast-check";
import { Secret } from "otpauth";
import { expect, test } from "vitest";
import { secretBytes } from "../../src/otp/totp.ts";
import vectors from "../vectors/otp.json";

test("encodes the secret of RFC 4226 as the published base32", () => {
  const bytes = new TextEncoder().encode(vectors.hotp.secret_ascii);
  expect(bytes).toHaveLength(secretBytes.SHA1);
  expect(base32nopad.encode(bytes)).toBe(vectors.hotp.secret_base32);
});

test("encodes any secret as 32 characters that an independent implementation decodes", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: secretBytes.SHA1, maxLength: secretBytes.SHA1 }),
      (bytes) => {
        const text = base32nopad.encode(bytes);
        expect(text).toMatch(/^[A-Z2-7]{32}$/);
        expect(new Secret({ buffer: new Uint8Array(bytes).buffer }).base32).toBe(text);
        expect(Secret.fromBase32(text).bytes).toEqual(new Uint8Array(bytes));
        expect(base32nopad.decode(text)).toEqual(new Uint8Array(bytes));
      },
    ),
    { numRuns: 500 },
  );
});
