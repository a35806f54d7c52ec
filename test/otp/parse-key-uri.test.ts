import fc from "fast-check";
import { TOTP } from "otpauth";
import { expect, test } from "vitest";
import { buildKeyUri } from "../../src/otp/key-uri.ts";
import { parseKeyUri, readAlgorithm } from "../../src/otp/parse-key-uri.ts";
import { totpAlgorithms } from "../../src/otp/totp.ts";

const secret = "JBSWY3DPEHPK3PXP";
const defaults = { secret, issuer: null, account: null, algorithm: "SHA1", digits: 6, period: 30 };

test.each([
  [`otpauth://totp/Acme:alice?secret=${secret}`, { issuer: "Acme", account: "alice" }],
  [`otpauth://totp/Acme%3Aalice?secret=${secret}`, { issuer: "Acme", account: "alice" }],
  [
    `otpauth://totp/Acme:%20alice?secret=${secret}&issuer=Acme`,
    { issuer: "Acme", account: "alice" },
  ],
  [`otpauth://totp/Old:alice?secret=${secret}&issuer=New`, { issuer: "New", account: "alice" }],
  [`otpauth://totp/alice?secret=${secret}&issuer=A%20B`, { issuer: "A B", account: "alice" }],
  [`otpauth://totp/alice?secret=${secret}&issuer=A+B`, { issuer: "A B", account: "alice" }],
  [`otpauth://totp/?secret=${secret}`, {}],
  [`otpauth://totp/?secret=${secret}&secret=${secret}`, {}],
  [`otpauth://totp?secret=${secret}`, {}],
  [`OTPAUTH://TOTP/alice?secret=${secret}`, { account: "alice" }],
  [`  otpauth://totp/alice?secret=${secret}\n`, { account: "alice" }],
  [
    `otpauth://totp/alice?secret=${secret}&algorithm=SHA256&digits=8&period=60`,
    { account: "alice", algorithm: "SHA256", digits: 8, period: 60 },
  ],
  [`otpauth://totp/alice?secret=${secret}&digits=&algorithm=`, { account: "alice" }],
])("reads %s", (text, parts) => {
  expect(parseKeyUri(text)).toEqual({ ...defaults, ...parts });
});

test.each([
  `otpauth://hotp/alice?secret=${secret}&counter=0`,
  `otpauth://steam/alice?secret=${secret}`,
  `otpauth://totp/alice?secret=${secret}&encoder=steam`,
  `otpauth:alice?secret=${secret}`,
])("reads %s as one of another type", (text) => {
  expect(parseKeyUri(text)).toBe("other_type");
});

test.each([
  "",
  "alice",
  "https://totp/alice?secret=A",
  "otpauth://totp/alice",
  "otpauth://totp/%E0?secret=A",
  `otpauth://totp/alice?secret=${secret}&secret=${secret}AA`,
  `otpauth://totp/alice?secret=${secret}&digits=6&digits=8`,
  "otpauth-migration://offline?data=AA",
])("reads no key URI from %j", (text) => {
  expect(parseKeyUri(text)).toBeUndefined();
});

test.each([
  ["SHA1", "SHA1"],
  ["sha-256", "SHA256"],
  ["HmacSHA512", "SHA512"],
  ["SHA_1", "SHA1"],
  ["MD5", undefined],
  ["SHA224", undefined],
  ["", undefined],
])("reads the algorithm %j as %s", (text, algorithm) => {
  expect(readAlgorithm(text)).toBe(algorithm);
});

const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).map((text) => {
  const name = text.toWellFormed().replaceAll(":", "-").trim();
  return name === "" ? "x" : name;
});
const parts = fc.record({
  issuer: names,
  account: names,
  algorithm: fc.constantFrom(...totpAlgorithms),
  digits: fc.integer({ min: 6, max: 8 }),
  period: fc.integer({ min: 15, max: 300 }),
});

test("What the service writes, and what the package otpauth writes, is read back", () => {
  fc.assert(
    fc.property(parts, (uri) => {
      expect(parseKeyUri(buildKeyUri({ ...uri, secret }))).toEqual({ ...uri, secret });
      const { account: label, ...others } = uri;
      const written = new TOTP({ ...others, label, secret }).toString();
      expect(parseKeyUri(written)).toEqual({ ...uri, secret });
    }),
  );
});
