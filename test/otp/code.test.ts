import fc from "fast-check";
import { expect, test } from "vitest";
import { codePattern, parseCode } from "../../src/otp/code.ts";

const whiteSpace = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2006\u200a\u2028\u2029\u202f\u205f\u3000";
const dashes = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212";

test.each([
  ["552192", "totp", "552192"],
  [" 552 192\n", "totp", "552192"],
  ["012345", "totp", "012345"],
  ["552 1920", "totp", "5521920"],
  ["5521 9201", "totp", "55219201"],
])("reads %j as the %s %s", (text, method, code) => {
  expect(parseCode(text)).toEqual({ method, code });
});

test.each([
  ["abcd 1234", "ABCD-1234", "abcd1234"],
  ["ABCD \u2013 1234", "ABCD-1234", "ABCD-1234"],
  // The service gives no code of its own these forms. Only imported codes can have them.
  ["552192012", "552192012", "552192012"],
  ["552\u2013192", "552192", "552-192"],
  ["ABCD--1234", "ABCD1234", "ABCD--1234"],
  ["ABC-D1234", "ABCD1234", "ABC-D1234"],
  ["abci-1234", "ABCI1234", "abci-1234"],
  ["7kq2 xm4p 0rtz", "7KQ2XM4P0RTZ", "7kq2xm4p0rtz"],
])("reads %j as the backup code %s, typed as %s", (text, code, typed) => {
  expect(parseCode(text)).toEqual({ method: "backup_code", code, typed });
});

test.each([
  "",
  whiteSpace,
  "55219",
  "-552192",
  "5-5-2-1-9",
  "A".repeat(65),
  "\ufeff552192",
  "552192\u200b",
  "552192\u180e",
  "\uff15\uff15\uff12\uff11\uff19\uff12",
  "ABCD\u00ad1234",
  "ABCD\u20431234",
  "\u017fABC-1234",
])("does not read %j", (text) => {
  expect(parseCode(text)).toBeUndefined();
});

test("The pattern of the document matches exactly the texts that are read", () => {
  const units = [...whiteSpace, ...dashes, ..."0123456789ABCdefIOQ", "\u200b", "\uff11", "\u0130"];
  const near = fc.string({ unit: fc.constantFrom(...units), maxLength: 14 });
  const spaces = fc.string({ unit: fc.constantFrom("", ...whiteSpace), maxLength: 1 });
  const spelled = (...parts: string[]) =>
    fc
      .tuple(...parts.map((part) => fc.constantFrom(...part)), fc.array(spaces, { minLength: 10 }))
      .map((all) => {
        const gaps = all.at(-1) ?? [];
        return all
          .slice(0, -1)
          .map((part, index) => `${gaps[index]}${part}`)
          .join("");
      });
  const totp = spelled(...Array.from({ length: 6 }, () => "0123456789"));
  const backup = spelled(..."ABCD", dashes, ..."1234");
  const document = new RegExp(codePattern, "u");
  fc.assert(
    fc.property(fc.oneof(near, totp, backup), (text) => {
      expect(document.test(text)).toBe(parseCode(text) !== undefined);
    }),
    { numRuns: 3_000 },
  );
  fc.assert(fc.property(totp, (text) => parseCode(text)?.method === "totp"));
  fc.assert(fc.property(backup, (text) => parseCode(text)?.code === "ABCD-1234"));
});
