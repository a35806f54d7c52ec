/** Parts of requests that a schema does not describe: media types, headers, address suffixes, broken JSON. */
import fc from "fast-check";
import { anyText } from "./texts.ts";

export const jsonTypes = fc.constantFrom(
  "application/json",
  "application/json; charset=utf-8",
  "Application/JSON",
  "application/problem+json",
);
export const otherTypes = fc.constantFrom(
  "",
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "application/jsonp",
  "text/json",
  `application/json${"x".repeat(4_000)}`,
  ";",
);
export const junkTexts = fc.constantFrom(
  "",
  " ",
  "null",
  "[]",
  "{}",
  '"x"',
  "0",
  "{",
  "NaN",
  "{'user':{}}",
  '{"user":{"external_id":"a"},"user":{"external_id":"b"}}',
  '{"__proto__":{"user":{"external_id":"a"}}}',
  "[".repeat(16_000),
  '{"a":'.repeat(3_000),
  `${"[".repeat(8_000)}${"]".repeat(8_000)}`,
  `{"otp":{"id":"${"\\u0000".repeat(300)}","code":"000000"}}`,
);
export const soundClocks = fc
  .integer({ min: -3_600, max: 3_600 })
  .map((seconds) => ({ "Test-Clock": `clock ${seconds}` }));
export const oddHeaders = fc.oneof(
  fc.constantFrom<Record<string, string>>(
    { "Test-Clock": "" },
    { "Test-Clock": "tomorrow" },
    { "Test-Clock": "0" },
    { "Test-Clock": "1969-12-31T23:59:59Z" },
    { "Test-Clock": "1970-01-01T00:00:00Z" },
    { "Test-Clock": "9999-12-31T00:00:00Z" },
    { "Test-Clock": "9999-12-31T23:59:59Z" },
    { "Test-Clock": "+010000-01-01T00:00:00Z" },
    { "Test-Clock": "2026-01-01T00:00:00Z, 2027-01-01T00:00:00Z" },
    { "Test-Clock": "x".repeat(5_000) },
    { "X-HTTP-Method-Override": "DELETE" },
    { "X-Request-Id": "'; DROP TABLE audit_events;--" },
    { "CF-Connecting-IP": "not an address", "X-Forwarded-For": ",,," },
    { Accept: "application/xml", "Accept-Encoding": "identity;q=0" },
    { "Content-Encoding": "gzip" },
    { "Content-Length": "1", Cookie: "a=b" },
    { "Idempotency-Key": "x".repeat(300) },
    { Origin: "https://elsewhere.test", "Access-Control-Request-Method": "POST" },
    { Range: "bytes=0-0", "If-None-Match": "*" },
  ),
);
export const suffixes = fc.constantFrom(
  "&&",
  "&=",
  "&=x",
  "&access_token=x",
  "&%ff=%ff",
  "&externalUserId",
  "&externalUserId=",
  "&externalUserId=%ff",
  "&externalUserId[]=a",
  "&limit=1&limit=2",
  "&limit=%31",
  "&after=",
  "&__proto__=x",
  "&constructor=x",
  `&x=${"y".repeat(6_000)}`,
  "#fragment",
  "&qr=svg&qr=svg",
  "%",
);

export const oddIds = fc.oneof(
  fc.constantFrom(
    "%00",
    "%ff",
    "%2f",
    "%252e",
    "..%2f",
    "x",
    "0".repeat(23),
    "0".repeat(25),
    "A".repeat(24),
    "a".repeat(8_000),
    "%F0%9F%98%80",
    "{id}",
    "*",
    ":id",
    "%",
  ),
  anyText.map((text) => encodeURIComponent(text.toWellFormed()) || "x"),
);
