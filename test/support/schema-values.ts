/** Values that a schema of the OpenAPI document allows, and values that differ from those in one place. */
import fc, { type Arbitrary } from "fast-check";
import type { JsonSchema } from "../fuzz/document.ts";
import { hostileStrings } from "../fuzz/texts.ts";

/** Texts that one side may read and the other not. */
const nearTexts = [
  ...hostileStrings,
  ...["\u007f", "a:b", "a\n", "\n", "\ta", "😀", "é", "a b", "\ufeff", "\u200b"],
  ...["01", "+1", "1.0", "1 ", "0x1", "1_0", "1e2", "-0", "0.50", "1.00001", "5e-05", ".5", "0."],
  ...["Infinity", "100", "101", "9007199254740991", "9007199254740992", "999999999999999"],
  ...["2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z"],
  ...["2026-08-15t09:30:00z", "2026-08-15T09:30Z", "2026-08-15 09:30:00Z", "2026-08-15"],
  ...["2026-08-15T09:30:00", "2026-08-15T09:30:00+24:00", "2026-08-15T09:30:00+0200"],
  ...["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00+01:00"],
  ...["1.1.1.1", "01.1.1.1", "1.1.1", "1.1.1.1.", "1.1.1.1:65535", "1.1.1.1:65536", "1.1.1.1:"],
  ...["[1.1.1.1]", "[::1]", "[::1]:080", "[::1", "::1]", "::1%", "::1%25", "::1%a%b", "[::1%1]:9"],
  ...["::", ":::", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::00001"],
  ...["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.256", "::g"],
  ...[`[1111:2222:3333:4444:5555:6666:111.111.111.111%25${"z".repeat(64)}]:65535`],
  ...["1:2:3:4:5:6:7:8::", "::ffff:1.2.3.4", "::FFFF:0102:0304", "1:2:3:4:5:6::1.2.3.4"],
  ...[
    "::/0",
    "::/128",
    "0.0.0.0/0",
    "1.1.1.1/32",
    "1.1.1.1/08",
    "1.1.1.1/",
    "::1/-1",
    "1.1.1.1/ 8",
  ],
  ...["::ffff:1.2.3.4/96", "::ffff:1.2.3.4/128", "::1%eth0/64", "[::1]/64", "/8"],
  ...[
    "552 192",
    "552-192",
    "ABCD1234",
    "abcd-1234",
    "ABCI-1234",
    "A B C D – 1 2 3 4",
    "ABCD--1234",
  ],
].map((text) => text.toWellFormed());

const wrongTypes: readonly unknown[] = [
  ...[null, true, 0, -1, 0.5, 1e-7, 1, 2 ** 31, 2 ** 53 - 1, 2 ** 53, 1e308, [], {}, [[]], [null]],
];

function lengthOf(text: string): number {
  return [...text].length;
}

function stringOf(schema: JsonSchema): Arbitrary<string> {
  const { pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (pattern === undefined) return fc.string({ unit: "binary" });
  const expression = new RegExp(pattern, "u");
  const isAllowed = (text: string) =>
    expression.test(text) && lengthOf(text) >= minLength && lengthOf(text) <= maxLength;
  const longest = Number.isFinite(maxLength) ? ["a", "😀"].map((one) => one.repeat(maxLength)) : [];
  const special = [...nearTexts, ...longest].filter(isAllowed);
  const matching = fc.stringMatching(expression).filter(isAllowed);
  if (special.length === 0) return matching;
  return fc.oneof({ weight: 3, arbitrary: matching }, fc.constantFrom(...special));
}

function numberOf({ type, minimum, maximum }: JsonSchema): Arbitrary<number> {
  const min = minimum ?? (type === "integer" ? Number.MIN_SAFE_INTEGER : -1e9);
  const max = maximum ?? (type === "integer" ? Number.MAX_SAFE_INTEGER : 1e9);
  const any = type === "integer" ? fc.integer({ min, max }) : fc.double({ min, max, noNaN: true });
  return fc.oneof({ weight: 3, arbitrary: any }, fc.constantFrom(min, max));
}

/** Objects whose field names are not in the schema. */
function fieldsOf(values: JsonSchema, { maxProperties = 3 }: JsonSchema): Arbitrary<unknown> {
  const maxKeys = Math.min(maxProperties, 3);
  return fc.dictionary(fc.string({ maxLength: 9 }), allowedValue(values), {
    maxKeys,
    noNullPrototype: true,
  });
}

/** A value that the schema allows. */
export function allowedValue(schema: JsonSchema): Arbitrary<unknown> {
  const { type, properties, required = [], items, minItems = 0, maxItems = 3, anyOf } = schema;
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(allowedValue));
  if (typeof type === "object") {
    return fc.oneof(...type.map((one) => allowedValue({ ...schema, type: one })));
  }
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(
      ([key, field]) => [key, allowedValue(field)] as const,
    );
    return fc.record(Object.fromEntries(fields), {
      requiredKeys: [...required],
      noNullPrototype: true,
    });
  }
  if (typeof schema.additionalProperties === "object") {
    return fieldsOf(schema.additionalProperties, schema);
  }
  if (items !== undefined) {
    const maxLength = Math.min(maxItems, minItems + 3);
    return fc.array(allowedValue(items), { minLength: minItems, maxLength });
  }
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "string":
      return stringOf(schema);
    case "integer":
    case "number":
      return numberOf(schema);
    default:
      throw new Error(`No values for ${JSON.stringify(schema)}`);
  }
}

/** A text with one character removed, added or replaced. */
function changeText(text: string, at: number, other: string): string[] {
  const characters = [...text];
  const position = characters.length === 0 ? 0 : at % characters.length;
  return [
    characters.toSpliced(position, 1).join(""),
    characters.toSpliced(position, 0, other).join(""),
    characters.toSpliced(position, 1, other).join(""),
    `${text}${other}`,
  ];
}

const character = fc.oneof(
  fc.constantFrom(..."0159aAfFgIZz:.-/%[]+ \n\t\u0000\u007f\u0085\u00a0–😀eT"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 1 }).map((text) => text.toWellFormed()),
);

/** A text that is near to the allowed ones, and may be one of them. */
export function nearText(schema: JsonSchema): Arbitrary<string> {
  const { maxLength = 255 } = schema;
  const changed = fc
    .tuple(allowedValue(schema).map(String), fc.nat(), character)
    .chain(([text, at, other]) => fc.constantFrom(...changeText(text, at, other)));
  const long = ["a", "😀", "\u0301"].map((one) => one.repeat(maxLength + 1));
  return fc.oneof(
    { weight: 3, arbitrary: changed },
    { weight: 2, arbitrary: fc.constantFrom(...nearTexts, ...long) },
  );
}

function nearNumber({ minimum = 0, maximum = 1 }: JsonSchema): Arbitrary<unknown> {
  const bounds = [minimum, maximum].flatMap((bound) => [bound, bound - 1, bound + 1, bound + 0.5]);
  return fc.constantFrom(...bounds, 1.5, -0, Number.MAX_SAFE_INTEGER + 1);
}

const unknownKeys = fc.constantFrom("__proto__", "constructor", "toString", "", "id", "Status");

/** An object that differs from an allowed one in one field. */
function nearObject(schema: JsonSchema): Arbitrary<unknown> {
  const { properties = {} } = schema;
  const sound = allowedValue(schema).map((value) => Object.entries({ ...Object(value) }));
  const changed = Object.entries(properties).map(([key, field]) =>
    fc
      .tuple(sound, nearValue(field))
      .map(([fields, near]) => Object.fromEntries([...fields, [key, near]])),
  );
  const less = fc
    .tuple(sound, fc.nat())
    .map(([fields, at]) => Object.fromEntries(fields.filter((_, index) => index !== at % 3)));
  const more = fc
    .tuple(sound, unknownKeys, fc.constantFrom(...wrongTypes))
    .map(([fields, key, value]) => Object.fromEntries([...fields, [key, value]]));
  return fc.oneof(...changed, ...changed, less, more);
}

/** A value that differs from an allowed one in one place, and may be allowed itself. */
export function nearValue(schema: JsonSchema): Arbitrary<unknown> {
  const { type, properties, items, maxItems, anyOf } = schema;
  const wrong = fc.constantFrom(...wrongTypes);
  if (anyOf !== undefined) return fc.oneof(wrong, ...anyOf.map(nearValue));
  if (properties !== undefined) {
    return fc.oneof({ weight: 9, arbitrary: nearObject(schema) }, wrong);
  }
  if (typeof schema.additionalProperties === "object") {
    const { additionalProperties: field, maxProperties = 9 } = schema;
    const one = nearValue(field).map((value): unknown => ({ a: value }));
    const many = allowedValue(field).map((value): unknown =>
      Object.fromEntries(Array.from({ length: maxProperties + 1 }, (_, index) => [index, value])),
    );
    return fc.oneof({ weight: 4, arbitrary: one }, many, wrong);
  }
  if (items !== undefined) {
    const one = fc.tuple(allowedValue(items), nearValue(items)).map((values): unknown => values);
    const many = allowedValue(items).map((item) =>
      Array.from({ length: (maxItems ?? 9) + 1 }, () => item),
    );
    const none = fc.constant<unknown>([]);
    return fc.oneof({ weight: 4, arbitrary: one }, many, none, wrong);
  }
  const isNumeric = type === "integer" || type === "number";
  const near: Arbitrary<unknown> = isNumeric ? nearNumber(schema) : nearText(schema);
  return fc.oneof({ weight: 6, arbitrary: near }, { weight: 1, arbitrary: wrong });
}
