import fc from "fast-check";
import { HOTP, Secret } from "otpauth";
import { describe, expect, test } from "vitest";
import { computeHotp, importSecret } from "../../src/otp/hotp.ts";
import vectors from "../vectors/otp.json";

const algorithms = ["SHA-1", "SHA-256", "SHA-512"] as const;

function encodeAscii(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...text].map((character) => character.charCodeAt(0)));
}

describe("RFC 4226 appendix D", () => {
  test("has ten codes", () => {
    expect(vectors.hotp.codes).toHaveLength(10);
  });

  test.each(vectors.hotp.codes.map((code, counter) => ({ counter, code })))(
    "gives $code for counter $counter",
    async ({ counter, code }) => {
      const key = await importSecret(encodeAscii(vectors.hotp.secret_ascii));
      expect(await computeHotp(key, counter)).toBe(code);
    },
  );
});

test("an imported secret cannot be exported", async () => {
  expect((await importSecret(new Uint8Array(20))).extractable).toBe(false);
});

describe("RFC 6238 appendix B, with the longer seeds of erratum 2866", () => {
  test("has six times for three hashes", () => {
    expect(vectors.totp.codes).toHaveLength(6);
  });

  test.each(
    algorithms.flatMap((algorithm) =>
      vectors.totp.codes.map((row) => ({ algorithm, time: row.time, code: row[algorithm] })),
    ),
  )("$algorithm gives $code at $time s", async ({ algorithm, time, code }) => {
    const key = await importSecret(encodeAscii(vectors.totp.secrets_ascii[algorithm]), algorithm);
    const step = Math.floor(time / vectors.totp.period_seconds);
    expect(await computeHotp(key, step, vectors.totp.digits)).toBe(code);
  });
});

test.each([-1, -0.5, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1])(
  "refuses %s as a counter",
  async (counter) => {
    const key = await importSecret(encodeAscii(vectors.hotp.secret_ascii));
    await expect(computeHotp(key, counter)).rejects.toThrow(new RangeError("counter out of range"));
  },
);

test.each([5, 9, 6.5, 0, -6, Number.NaN])("refuses %s digits", async (digits) => {
  const key = await importSecret(encodeAscii(vectors.hotp.secret_ascii));
  await expect(computeHotp(key, 0, digits)).rejects.toThrow(new RangeError("digits out of range"));
});

test("agrees with an independent implementation for any secret, counter, hash and length", async () => {
  const otherNames = { "SHA-1": "SHA1", "SHA-256": "SHA256", "SHA-512": "SHA512" };
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 160 }),
      fc.oneof(
        fc.nat(),
        fc.maxSafeNat(),
        fc.constantFrom(0, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
      ),
      fc.constantFrom(...algorithms),
      fc.constantFrom(6, 7, 8),
      async (bytes, counter, algorithm, digits) => {
        const secret = new Uint8Array(bytes);
        const other = new HOTP({
          secret: new Secret({ buffer: secret.buffer }),
          algorithm: otherNames[algorithm],
          digits,
        });
        const code = await computeHotp(await importSecret(secret, algorithm), counter, digits);
        expect(code).toBe(other.generate({ counter }));
        expect(code).toMatch(/^[0-9]+$/);
        expect(code).toHaveLength(digits);
      },
    ),
    { numRuns: 300 },
  );
});

test("keeps the leading zeros of a code", async () => {
  const key = await importSecret(encodeAscii(vectors.hotp.secret_ascii));
  const codes = await Promise.all(
    Array.from({ length: 200 }, (_, counter) => computeHotp(key, counter)),
  );
  const short = codes.filter((code) => code.startsWith("0"));
  expect(short.length).toBeGreaterThan(0);
  for (const code of codes) expect(code).toMatch(/^[0-9]{6}$/);
  const other = new HOTP({ secret: Secret.fromBase32(vectors.hotp.secret_base32) });
  expect(codes).toEqual(codes.map((_, counter) => other.generate({ counter })));
});
