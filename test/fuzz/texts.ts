/** Texts for the generators: placeholders for values that only the running test knows, and hostile texts. */
import fc from "fast-check";

/**
 * The names of values that only the running test knows. They replace the text `«name»` when a request
 * is sent, so that generated requests depend only on their seed.
 */
export const knownNames = [
  "externalId",
  "identityId",
  "tokenId",
  "movableTenantId",
  "eventId",
  "passkeyId",
  "authenticatorId",
  "deviceId",
  "webhookId",
  "attemptedEventId",
  "streamId",
  "assessmentId",
  "totpCode",
  "backupCode",
  "ownTenantId",
] as const;
export type KnownName = (typeof knownNames)[number];

export function placeholder(name: KnownName): string {
  return `«${name}»`;
}

export const known = (...names: readonly KnownName[]) => fc.constantFrom(...names.map(placeholder));

/** Marks a number in JSON text that JavaScript would not write in that form. */
export const rawNumber = /"«raw ([^»]+)»"/g;
export const oddNumbers = [
  "1e400",
  "-1e400",
  "-0",
  "1E0",
  "5.0000000000000001",
  "9".repeat(300),
].map((number) => `«raw ${number}»`);

export const hostileStrings = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udc00x",
  "\u0085",
  "' OR 1=1--",
  "'; DROP TABLE identities;--",
  '"}]}',
  "{{7*7}}",
  "<script>alert(1)</script>",
  "../../etc/passwd",
  "%00",
  "%2e%2e%2f",
  "\u202e",
  "\u2028",
  "İ",
  "e\u0301",
  "👩‍👩‍👧‍👦",
  "١٢٣٤٥٦",
  "１２３４５６",
  " 123456",
  "123456\n",
  "12345",
  "0123456",
  "ABCD–1234",
  "NaN",
  "-1",
  "0x10",
  "1e1",
  "1e309",
  "99999999999999999999",
  "constructor",
  "__proto__",
  "hasOwnProperty",
  "\r\nSet-Cookie: a=b",
  "fe80::1%eth0",
  "1.1.1.1/33",
  "::/129",
  "0x7f.1",
  "1.1.1.256",
  "2026-02-30T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "+275760-09-13T00:00:00Z",
  "1969-12-31T23:59:59Z",
  "2026-12-31T23:59:60Z",
  "0".repeat(23),
  "F".repeat(24),
  "0".repeat(49),
  "a".repeat(256),
  "a".repeat(1025),
  "😀".repeat(255),
  "😀".repeat(256),
  "%".repeat(2_000),
];

export const anyText = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...hostileStrings) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 60 }) },
);
