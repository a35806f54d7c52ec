/**
 * Converts the document to OpenAPI 3.0.3, for generators that do not read 3.1. Its schemas are of a subset of
 * JSON Schema (OpenAPI 3.0.3 §4.7.24), in which `nullable` stands for the type null.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "./json-schema.ts";
import type { OpenApiDocument } from "./openapi-completion.ts";

const isNullType = (value: JsonValue) => isJsonObject(value) && value.type === "null";

/** `{ anyOf: [X, { type: "null" }] }` becomes a nullable X. */
function convertAlternatives({ anyOf, ...rest }: JsonObject): JsonObject {
  if (!Array.isArray(anyOf)) return anyOf === undefined ? rest : { ...rest, anyOf };
  const others = anyOf.filter((one) => !isNullType(one));
  if (others.length === anyOf.length) return { ...rest, anyOf };
  const [only, ...further] = others;
  if (further.length > 0 || !isJsonObject(only)) return { ...rest, anyOf: others, nullable: true };
  // A reference has no fields beside it in 3.0.
  if (only.$ref !== undefined) return { ...rest, type: "object", allOf: [only], nullable: true };
  const values = Array.isArray(only.enum) ? { enum: [...only.enum, null] } : {};
  return { ...only, ...values, ...rest, nullable: true };
}

/** `{ type: [X, "null"] }` becomes a nullable X. */
function convertType({ type, ...rest }: JsonObject): JsonObject {
  if (!Array.isArray(type)) return type === undefined ? rest : { type, ...rest };
  const others = type.filter((name) => name !== "null");
  const [only] = others;
  return only === undefined ? rest : { type: only, ...rest, nullable: true };
}

function convertConst({ const: value, ...rest }: JsonObject): JsonObject {
  return value === undefined ? rest : { ...rest, enum: [value] };
}

function convertExamples({ examples, ...rest }: JsonObject): JsonObject {
  if (!Array.isArray(examples)) return examples === undefined ? rest : { ...rest, examples };
  const [example] = examples;
  return example === undefined ? rest : { ...rest, example };
}

/** A reference with fields beside it becomes an `allOf`, because 3.0 ignores them. */
function convertReference({ $ref, ...rest }: JsonObject): JsonObject {
  if ($ref === undefined) return rest;
  return Object.keys(rest).length === 0 ? { $ref } : { ...rest, allOf: [{ $ref }] };
}

function convertSchema({ propertyNames: _, ...schema }: JsonObject): JsonObject {
  return [convertAlternatives, convertType, convertConst, convertExamples, convertReference].reduce(
    (converted, convert) => convert(converted),
    schema,
  );
}

/** Converts every schema in a part of the document, and nothing in examples. */
function convertPart(part: JsonValue): JsonValue {
  if (Array.isArray(part)) return part.map(convertPart);
  if (!isJsonObject(part)) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => {
      if (key === "schema") return [key, convertSchemas(value)];
      if (key === "example" || key === "examples") return [key, value];
      return [key, convertPart(value)];
    }),
  );
}

/** Keywords whose fields are schemas by name, so that a property may be named like a keyword. */
const schemaMaps = ["properties", "patternProperties"];

function convertSchemas(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(convertSchemas);
  if (!isJsonObject(schema)) return schema;
  const fields = Object.entries(schema).map(([key, value]): [string, JsonValue] => {
    if (["example", "examples", "default", "const", "enum"].includes(key)) return [key, value];
    if (!schemaMaps.includes(key) || !isJsonObject(value)) return [key, convertSchemas(value)];
    const named = Object.entries(value).map(([name, one]) => [name, convertSchemas(one)] as const);
    return [key, Object.fromEntries(named)];
  });
  return convertSchema(Object.fromEntries(fields));
}

export function convertToOpenApi30(created: OpenApiDocument): JsonObject {
  const document: unknown = JSON.parse(JSON.stringify(created));
  if (!isJsonObject(document)) throw new TypeError("The document is not an object");
  const { components = {}, paths = {}, ...rest } = document;
  const { schemas = {}, ...others } = isJsonObject(components) ? components : {};
  const named = Object.entries(isJsonObject(schemas) ? schemas : {});
  return {
    ...rest,
    openapi: "3.0.3",
    paths: convertPart(paths),
    components: {
      ...others,
      schemas: Object.fromEntries(named.map(([name, schema]) => [name, convertSchemas(schema)])),
    },
  };
}
