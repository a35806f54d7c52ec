import fc from "fast-check";
import { TOTP, URI } from "otpauth";
import { expect, test } from "vitest";
import { buildKeyUri } from "../../src/otp/key-uri.ts";

const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const base32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const secrets = fc.string({
  unit: fc.constantFrom(...base32Digits),
  minLength: 32,
  maxLength: 32,
});
/** Names that the routes accept: well-formed, without colon; here also without control characters. */
const names = fc
  .string({ unit: "binary", minLength: 1, maxLength: 64 })
  .filter((text) => !/[:\p{Cc}]/u.test(text));

test("encodes spaces as %20 in label and parameters", () => {
  expect(
    buildKeyUri({ issuer: "Acme Enterprise", account: "alexander@enterprise.com", secret }),
  ).toBe(
    `otpauth://totp/Acme%20Enterprise:alexander%40enterprise.com?secret=${secret}&issuer=Acme%20Enterprise`,
  );
});

test("has the parameters that differ from the defaults of the format, and no others", () => {
  const parts = { issuer: "Acme", account: "alexander", secret };
  const usual = buildKeyUri(parts);
  expect(buildKeyUri({ ...parts, algorithm: "SHA1", digits: 6, period: 30 })).toBe(usual);
  for (const [parameters, added] of [
    [{ algorithm: "SHA256" }, "&algorithm=SHA256"],
    [{ digits: 8 }, "&digits=8"],
    [{ period: 60 }, "&period=60"],
    [{ algorithm: "SHA512", digits: 7, period: 15 }, "&algorithm=SHA512&digits=7&period=15"],
  ] as const) {
    const uri = buildKeyUri({ ...parts, ...parameters });
    expect(uri).toBe(`${usual}${added}`);
    const app = URI.parse(uri);
    expect(app).toMatchObject({ algorithm: "SHA1", digits: 6, period: 30, ...parameters });
  }
});

test("encodes characters that would end the label or a parameter", () => {
  expect(buildKeyUri({ issuer: "A&B/C?D#E", account: "x=y+z%20", secret })).toBe(
    `otpauth://totp/A%26B%2FC%3FD%23E:x%3Dy%2Bz%2520?secret=${secret}&issuer=A%26B%2FC%3FD%23E`,
  );
});

test("is a URL from which the same parts can be parsed, for any names", () => {
  fc.assert(
    fc.property(names, names, secrets, (issuer, account, drawn) => {
      const text = buildKeyUri({ issuer, account, secret: drawn });
      expect(text).toMatch(/^[!-~]+$/);
      const url = new URL(text);
      expect([url.protocol, url.host]).toEqual(["otpauth:", "totp"]);
      const label = url.pathname.slice(1).split(":");
      expect(label.map(decodeURIComponent)).toEqual([issuer, account]);
      expect([...url.searchParams]).toEqual([
        ["secret", drawn],
        ["issuer", issuer],
      ]);
    }),
    { numRuns: 500 },
  );
});

test("is parsed into the same parts by an independent implementation", () => {
  fc.assert(
    fc.property(names, names, secrets, (issuer, account, drawn) => {
      const parsed = URI.parse(buildKeyUri({ issuer, account, secret: drawn }));
      if (!(parsed instanceof TOTP)) throw new Error("not a TOTP key URI");
      const { algorithm, digits, period } = parsed;
      expect([parsed.issuer, parsed.label, parsed.secret.base32]).toEqual([issuer, account, drawn]);
      expect({ algorithm, digits, period }).toEqual({ algorithm: "SHA1", digits: 6, period: 30 });
    }),
    { numRuns: 500 },
  );
});
