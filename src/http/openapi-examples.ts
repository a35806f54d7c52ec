/** Composes an example of a whole body from the examples of its fields. */
import type { JsonObject, JsonValue } from "./json-schema.ts";
import { isJsonObject, resolve } from "./json-schema.ts";

function exampleOfObject(schema: JsonObject, components: JsonObject): JsonValue {
  const properties = isJsonObject(schema.properties) ? schema.properties : {};
  const fields = Object.entries(properties).flatMap(([name, property]) => {
    const example = isJsonObject(property) ? composeExample(property, components) : undefined;
    return example === undefined ? [] : [[name, example] as const];
  });
  return Object.fromEntries(fields);
}

/** Of several alternatives, the first that is not null. */
function exampleOfAlternative(alternatives: readonly JsonValue[], components: JsonObject) {
  const [first] = alternatives.filter(isJsonObject).filter(({ type }) => type !== "null");
  return first === undefined ? null : (composeExample(first, components) ?? null);
}

function exampleOfType(schema: JsonObject, components: JsonObject): JsonValue | undefined {
  const type = Array.isArray(schema.type)
    ? schema.type.find((name) => name !== "null")
    : schema.type;
  switch (type) {
    case "object":
      return exampleOfObject(schema, components);
    case "array": {
      if (!isJsonObject(schema.items)) return [];
      const item = composeExample(schema.items, components);
      return item === undefined ? [] : [item];
    }
    case "boolean":
      return true;
    case "integer":
    case "number":
      return typeof schema.minimum === "number" ? schema.minimum : 0;
    case "string":
      return schema.pattern === undefined && schema.format === undefined ? "…" : undefined;
    default:
      return undefined;
  }
}

/**
 * Composes an example that fits the schema. A field without an example of its own gets its default, its first
 * allowed value or its least number; a text of a certain form has none.
 * @param schema a JSON schema of the document
 * @param components the schemas that it may refer to, by name
 */
export function composeExample(schema: JsonObject, components: JsonObject): JsonValue | undefined {
  const own = Array.isArray(schema.examples) ? schema.examples[0] : schema.example;
  if (own !== undefined) return own;
  if (schema.$ref !== undefined) return composeExample(resolve(schema, components), components);
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(alternatives)) return exampleOfAlternative(alternatives, components);
  return exampleOfType(schema, components);
}
