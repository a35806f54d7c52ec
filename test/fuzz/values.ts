/** Values for a schema of the document, both allowed and forbidden. */
import fc, { type Arbitrary } from "fast-check";
import type { JsonSchema } from "./document.ts";
import { anyText, type KnownName, known, oddNumbers } from "./texts.ts";

const plain = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  // The service refuses control characters, which a schema cannot express, and colons in labels.
  .map((text) => text.replaceAll(/[\p{Cc}:]/gu, "-"));

const timeBetween = (from: string, to: string) =>
  fc
    .date({ min: new Date(from), max: new Date(to), noInvalidDate: true })
    .chain((date) =>
      fc.constantFrom(date.toISOString(), date.toISOString().replace(/\.\d+Z$/, "+02:00")),
    );

const addresses = fc.oneof(
  fc.ipV4(),
  fc.constantFrom("1.1.1.1", "::ffff:192.168.0.1", "2001:db8::1", "2606:4700::1111"),
  fc.constantFrom("1.1.1.1:80", "[2001:db8::1]:443", "fe80::1%eth0"),
);

/** Values for fields that the document describes only as strings. */
const byName: Readonly<Record<string, Arbitrary<string>>> = {
  ip: addresses,
  address: addresses,
  allow: fc.constantFrom("10.0.0.0/8", "1.1.1.1", "2001:db8::/32", "::1"),
  deny: fc.constantFrom("203.0.113.0/24", "198.51.100.7", "2001:db8::/48"),
  code: fc.oneof(
    { weight: 9, arbitrary: known("totpCode", "backupCode") },
    { weight: 1, arbitrary: fc.constantFrom("000000", "ABCD-1234", "abcd 1234") },
  ),
  // The service refuses a token that expires in the past.
  expires_at: timeBetween("2090-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
  from: timeBetween("2000-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
  url: fc.constantFrom("https://hooks.example.com/in", "https://siem.example.com:8443/a?b=c"),
  endpoint: fc.constantFrom("https://s3.example.com", "https://s3.example.com:8443/path/"),
  token: fc.constant("12345678-1234-1234-1234-1234567890ab"),
  api_key: fc.constant("0123456789abcdef0123456789abcdef"),
  secret: fc.constantFrom("JBSWY3DPEHPK3PXP", "4a424a424a424a424a42", "not a secret"),
  uri: fc.constantFrom(
    "otpauth://totp/Acme:alexander?secret=JBSWY3DPEHPK3PXP&issuer=Acme&digits=8",
    "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP",
    "https://example.com",
  ),
  encoding: fc.constantFrom("base32", "hex", "base64", "ascii"),
  algorithm: fc.constantFrom("SHA1", "SHA256", "SHA512", "MD5"),
  status: fc.constantFrom("active", "suspended", "locked"),
  backup_codes: fc.constantFrom("7KQ2-XM4P-0RTZ", "ABCD-1234", "12345678"),
  scheme: fc.constantFrom("sha256", "sha512", "pbkdf2", "bcrypt"),
  hashes: fc.constantFrom(
    "0a1b".repeat(16),
    "$pbkdf2-sha512$1000$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "not a hash",
  ),
  index: fc.constantFrom("main", "security_2"),
  bucket: fc.constantFrom("acme-audit", "a.b.c"),
  region: fc.constantFrom("auto", "eu-central-1"),
  prefix: fc.constantFrom("", "idp/", "a/b.c"),
  access_key_id: fc.constant("AKIAIOSFODNN7EXAMPLE"),
  secret_access_key: fc.constant("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
  to: timeBetween("2027-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
};

/** The known ids that a field or parameter can have, by its name. */
const knownIdsByName: Readonly<Record<string, readonly KnownName[]>> = {
  id: ["identityId"],
  passkey_id: ["passkeyId"],
  authenticator_id: ["authenticatorId"],
  device_id: ["deviceId"],
  webhook_id: ["webhookId"],
  attempted_event_id: ["attemptedEventId"],
  stream_id: ["streamId"],
  token_id: ["tokenId"],
  event_id: ["eventId"],
  tenant_id: ["movableTenantId"],
  own_tenant_id: ["ownTenantId"],
};

function soundString(schema: JsonSchema, name: string): Arbitrary<string> {
  const { pattern, format, minLength, maxLength } = schema;
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (pattern?.includes("{24}")) {
    const knownId = known(...(knownIdsByName[name] ?? ["identityId", "tokenId", "eventId"]));
    return fc.oneof({ weight: 6, arbitrary: knownId }, hex(24));
  }
  if (pattern?.includes("{48}")) {
    return fc.oneof({ weight: 6, arbitrary: known("assessmentId") }, hex(48));
  }
  const named = byName[name];
  if (named !== undefined) return named;
  if (format === "date-time") return timeBetween("2000-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
  if (minLength === undefined || maxLength === undefined) return plain;
  // A field that creates a name gets a new one; other fields mostly get a known external id.
  const weights: Readonly<Record<string, number>> = { account_name: 0, external_id: 3 };
  return fc.oneof(
    { weight: maxLength === 255 ? (weights[name] ?? 12) : 0, arbitrary: known("externalId") },
    { weight: 3, arbitrary: plain },
    { weight: 1, arbitrary: fc.constantFrom("x".repeat(minLength), "x".repeat(maxLength)) },
  );
}

function hex(length: number): Arbitrary<string> {
  return fc.string({
    unit: fc.constantFrom(..."0123456789abcdef"),
    minLength: length,
    maxLength: length,
  });
}

/** Ranges that are consistent with each other, which a schema cannot express. */
const rangeByName: Readonly<Record<string, readonly [number, number]>> = {
  max_failed_attempts: [2, 9],
  lock_seconds: [1, 60],
  max_lock_seconds: [60, 3_600],
  disable_after: [10, 100],
  digits: [5, 9],
  period: [10, 310],
  // A log is that long at least.
  from: [0, 5],
  // The tests have these databases; the service refuses any other.
  shard: [0, 2],
};

function soundNumber(schema: JsonSchema, name: string): Arbitrary<number> {
  const range = rangeByName[name];
  if (range !== undefined) return fc.integer({ min: range[0], max: range[1] });
  if (name === "challenge_at") return fc.constantFrom(0.05, 0.3, 0.5);
  if (name === "deny_at") return fc.constantFrom(0.5, 0.8, 0.9999);
  const { minimum = 0, maximum = 1_000 } = schema;
  if (schema.type === "integer") {
    const near = Math.min(maximum, minimum + 100);
    return fc.oneof(
      fc.integer({ min: minimum, max: near }),
      fc.integer({ min: minimum, max: maximum }),
      fc.constantFrom(minimum, maximum),
    );
  }
  return fc.constantFrom(0.0001, 0.05, 0.3, 0.5, 0.7, 0.9, 0.9999);
}

const headerNames = fc.constantFrom(
  "Authorization",
  "X-Team",
  "x-team",
  "Content-Length",
  "cookie",
);

/** The fields that a stream of each type has; the document cannot say it, and calls all of them optional. */
const fieldsByType: Readonly<Record<string, readonly (readonly string[])[]>> = {
  http: [["url"], ["url", "format", "from"]],
  splunk_hec: [
    ["url", "token"],
    ["url", "token", "index", "format"],
  ],
  datadog: [
    ["url", "api_key"],
    ["url", "api_key", "from"],
  ],
  s3: [
    ["endpoint", "bucket", "region", "access_key_id", "secret_access_key"],
    ["endpoint", "bucket", "region", "access_key_id", "secret_access_key", "prefix", "format"],
  ],
};

function soundStream(properties: Readonly<Record<string, JsonSchema>>): Arbitrary<unknown> {
  const types = Object.entries(fieldsByType).flatMap(([type, choices]) =>
    choices.map((fields) => ({ type, fields })),
  );
  return fc.constantFrom(...types).chain(({ type, fields }) => {
    const values = fields.map((field) => [field, soundValue(properties[field] ?? {}, field)]);
    return fc.record({ ...Object.fromEntries(values), type: fc.constant(type) });
  });
}

/** Fields that a stream of every type has, in a change. */
function soundChange(properties: Readonly<Record<string, JsonSchema>>): Arbitrary<unknown> {
  return fc.subarray(["status", "format"], { minLength: 1 }).chain((fields) => {
    const values = fields.map((field) => [field, soundValue(properties[field] ?? {}, field)]);
    return fc.record(Object.fromEntries(values));
  });
}

/** A value that the document allows. */
export function soundValue(schema: JsonSchema, name = ""): Arbitrary<unknown> {
  const { properties, required = [], items, maxItems = 3, anyOf } = schema;
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((one) => soundValue(one, name)));
  if (typeof schema.type === "object") {
    return fc.oneof(...schema.type.map((type) => soundValue({ ...schema, type }, name)));
  }
  if (name === "stream" && properties !== undefined) {
    return properties.type === undefined ? soundChange(properties) : soundStream(properties);
  }
  if (properties !== undefined) {
    const keys = Object.keys(properties);
    const optional = keys.filter((key) => !required.includes(key));
    const { minProperties = 0, maxProperties = keys.length } = schema;
    const bounds = {
      minLength: Math.max(0, minProperties - required.length),
      maxLength: Math.min(optional.length, maxProperties - required.length),
    };
    return fc.subarray(optional, bounds).chain((chosen) => {
      const fields = [...required, ...chosen].flatMap((key) => {
        const field = properties[key];
        return field === undefined ? [] : [[key, soundValue(field, key)] as const];
      });
      return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
    });
  }
  const { additionalProperties: field } = schema;
  if (typeof field === "object") {
    const maxKeys = Math.min(schema.maxProperties ?? 3, 3);
    // The validator of the document cannot name a key with a lone surrogate.
    const hostile = anyText.map((text) => text.toWellFormed());
    const keys = name === "headers" ? fc.oneof(headerNames, hostile) : hostile;
    return fc.dictionary(keys, soundValue(field, name), { maxKeys, noNullPrototype: true });
  }
  if (items !== undefined) {
    const minLength = name === "permissions" ? 1 : 0;
    return fc.array(soundValue(items, name), { minLength, maxLength: Math.min(maxItems, 4) });
  }
  switch (schema.type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "string":
      return soundString(schema, name);
    case "integer":
    case "number":
      return soundNumber(schema, name);
    default:
      throw new Error(`The generator has no values for ${JSON.stringify(schema)}`);
  }
}

const wrongTypes = fc.constantFrom<unknown>(
  null,
  true,
  false,
  0,
  -1,
  0.5,
  2 ** 53,
  [],
  {},
  ["x"],
  { length: 1 },
  [[]],
  ...oddNumbers,
);

function listBoundaryValues({
  type,
  minimum,
  maximum,
  minLength,
  maxLength,
}: JsonSchema): unknown[] {
  const numbers = [minimum, maximum].flatMap((bound) =>
    bound === undefined ? [] : [bound, bound - 1, bound + 1, bound + 0.5, bound * 1e9],
  );
  const lengths = [minLength, maxLength].flatMap((bound) =>
    bound === undefined ? [] : ["x".repeat(Math.max(bound - 1, 0)), "x".repeat(bound + 1)],
  );
  return [...numbers, ...lengths, ...(type === "number" ? [0, 1, 2, -0.1] : [])];
}

/** A leaf that is probably, but not certainly, forbidden. */
function brokenLeaf(schema: JsonSchema): Arbitrary<unknown> {
  const bounds = listBoundaryValues(schema);
  return fc.oneof(
    { weight: 2, arbitrary: wrongTypes },
    { weight: 2, arbitrary: anyText },
    { weight: bounds.length === 0 ? 0 : 5, arbitrary: fc.constantFrom<unknown>(null, ...bounds) },
  );
}

function nest(depth: number): unknown {
  let value: unknown = "x";
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

const unknownFields = fc.constantFrom(
  "tenant_id",
  "locked",
  "__proto__",
  "constructor",
  "id",
  "status",
  "",
  "a".repeat(3_000),
);

/** A value with an error at a random position. */
export function brokenValue(schema: JsonSchema, name = ""): Arbitrary<unknown> {
  const { properties, items } = schema;
  if (items !== undefined) {
    return fc.oneof(
      { weight: 2, arbitrary: brokenLeaf(items).map((item) => [item]) },
      {
        weight: 3,
        arbitrary: soundValue(items, name).map((item) => repeat(item, (schema.maxItems ?? 3) + 1)),
      },
      { weight: 1, arbitrary: brokenLeaf(schema) },
    );
  }
  if (properties === undefined) return brokenLeaf(schema);
  const keys = Object.keys(properties);
  const sound = soundValue(schema, name).map(
    (value) => new Map(Object.entries({ ...Object(value) })),
  );
  const one = fc.constantFrom(...keys);
  const changed = one.chain((key) =>
    fc.tuple(sound, brokenValue(properties[key] ?? {}, key)).map(([value, broken]) => {
      return Object.fromEntries(value.set(key, broken));
    }),
  );
  const without = fc.tuple(sound, one).map(([value, key]) => {
    value.delete(key);
    return Object.fromEntries(value);
  });
  const withMore = fc
    .tuple(sound, unknownFields, fc.oneof(anyText, wrongTypes))
    .map(([value, key, more]) => Object.fromEntries(value.set(key, more)));
  return fc.oneof(
    { weight: 14, arbitrary: changed },
    { weight: 2, arbitrary: without },
    { weight: 2, arbitrary: withMore },
    { weight: 1, arbitrary: wrongTypes },
    { weight: 1, arbitrary: fc.constantFrom(5, 60, 1_500).map(nest) },
  );
}

function repeat(item: unknown, times: number): unknown[] {
  return Array.from({ length: times }, () => item);
}
