/** Checks events against the published schema of OCSF, of which test/streams/schema.json is an extract. */
import { z } from "zod";
import published from "../streams/schema.json";

const attributeSchema = z.object({
  type: z.string(),
  requirement: z.enum(["required", "recommended", "optional"]),
  array: z.boolean().optional(),
  profiles: z.array(z.string()).optional(),
  enum: z.record(z.string(), z.string()).optional(),
});
const itemSchema = z.object({
  uid: z.int().optional(),
  constraints: z.object({ at_least_one: z.array(z.string()) }).optional(),
  attributes: z.record(z.string(), attributeSchema),
});
const schema = z
  .object({
    version: z.string(),
    classes: z.record(z.string(), itemSchema),
    objects: z.record(z.string(), itemSchema),
  })
  .parse(published);

type Item = z.output<typeof itemSchema>;
type Attribute = z.output<typeof attributeSchema>;
const objectSchema = z.record(z.string(), z.unknown());

export const publishedVersion = schema.version;

/** What JSON must be for a type of OCSF that is no object of the extract. */
function isOfType(value: unknown, type: string): boolean {
  if (type === "integer_t" || type === "long_t" || type === "timestamp_t") {
    return Number.isInteger(value);
  }
  if (type === "boolean_t") return typeof value === "boolean";
  if (type === "object" || type === "json_t") return objectSchema.safeParse(value).success;
  if (type === "ip_t") return z.union([z.ipv4(), z.ipv6()]).safeParse(value).success;
  return ["string_t", "username_t"].includes(type) && typeof value === "string";
}

/** The text beside a number must be the caption of the number, or a name of our own for 99. */
function checkSibling(item: Readonly<Record<string, unknown>>, name: string, caption: string) {
  const sibling =
    name === "activity_id" ? "activity_name" : name.replace(/_uid$/, "_name").replace(/_id$/, "");
  const text = item[sibling];
  if (text === undefined) return [];
  if (text === caption) return [];
  return caption === "Other" && typeof text === "string" && text.length > 0
    ? []
    : [`${sibling} is ${JSON.stringify(text)}, not ${caption}`];
}

function checkValue(
  value: unknown,
  name: string,
  attribute: Attribute,
  profiles: readonly string[],
): string[] {
  if (attribute.array === true) {
    if (!Array.isArray(value)) return [`${name} is no list`];
    return value.flatMap((one) => checkValue(one, name, { ...attribute, array: false }, profiles));
  }
  const item = schema.objects[attribute.type];
  if (item !== undefined) return checkItem(value, item, profiles).map((one) => `${name}.${one}`);
  if (!isOfType(value, attribute.type)) return [`${name} is no ${attribute.type}`];
  if (attribute.enum !== undefined && attribute.enum[String(value)] === undefined) {
    return [`${name} has no value ${String(value)}`];
  }
  return [];
}

function checkItem(
  value: unknown,
  { attributes, constraints }: Item,
  profiles: readonly string[],
): string[] {
  const parsed = objectSchema.safeParse(value);
  if (!parsed.success) return ["is no object"];
  const item = parsed.data;
  const isOfProfile = ({ profiles: needed }: Attribute) =>
    needed === undefined || needed.some((one) => profiles.includes(one));
  const missing = Object.entries(attributes).flatMap(([name, attribute]) =>
    attribute.requirement === "required" && isOfProfile(attribute) && item[name] === undefined
      ? [`${name} is missing`]
      : [],
  );
  const wrong = Object.entries(item).flatMap(([name, one]) => {
    const attribute = attributes[name];
    if (attribute === undefined || !isOfProfile(attribute)) return [`${name} is not in the schema`];
    const caption = attribute.enum?.[String(one)];
    return [
      ...checkValue(one, name, attribute, profiles),
      ...(caption === undefined ? [] : checkSibling(item, name, caption)),
    ];
  });
  const least = constraints?.at_least_one ?? [];
  const isEnough = least.length === 0 || least.some((name) => item[name] !== undefined);
  return [...missing, ...wrong, ...(isEnough ? [] : [`has none of ${least.join(", ")}`])];
}

const eventSchema = z.looseObject({
  class_uid: z.int(),
  metadata: z.looseObject({ version: z.string(), profiles: z.array(z.string()).optional() }),
});

/** One sentence for each rule of the schema that the event breaks, which is JSON. */
export function findOcsfProblems(json: unknown): string[] {
  const { data: event, error } = eventSchema.safeParse(json);
  if (event === undefined) return [z.prettifyError(error)];
  const item = Object.values(schema.classes).find(({ uid }) => uid === event.class_uid);
  if (item === undefined) return [`class_uid ${event.class_uid} is not in the extract`];
  const { version, profiles = [] } = event.metadata;
  return [
    ...(version === schema.version ? [] : [`metadata.version is ${version}`]),
    ...checkItem(event, item, profiles),
  ];
}
