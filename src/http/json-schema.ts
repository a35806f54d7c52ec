/** JSON schemas as plain values, as far as the OpenAPI document needs to read and change them. */

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schema that a reference such as `#/components/schemas/User` names. */
export function resolve(schema: JsonObject, components: JsonObject): JsonObject {
  const name = String(schema.$ref).split("/").at(-1) ?? "";
  const found = components[name];
  return isJsonObject(found) ? found : {};
}
