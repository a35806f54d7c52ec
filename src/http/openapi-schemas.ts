/** How schemas stand in the OpenAPI document: open answers, and what generators of clients need. */
import type { JSONSchema } from "zod/v4/core";

export interface DocumentOptions {
  /**
   * Whether answers may have further fields and values. The published document is open, so that a client made
   * from it survives a later version; tests compare the service's answers with a closed one.
   */
  readonly isOpen: boolean;
}

/** Adds a sentence with the values that an answer has today, in place of a closed list. */
function describeValues(jsonSchema: JSONSchema.BaseSchema, values: readonly unknown[]): void {
  const listed = values.map((value) => `\`${String(value)}\``).join(", ");
  const { description } = jsonSchema;
  const sentence = `Values: ${listed}; expect further ones.`;
  jsonSchema.type = "string";
  jsonSchema.description = description === undefined ? sentence : `${description} ${sentence}`;
  jsonSchema.examples ??= [values[0]];
}

function openAnswer(jsonSchema: JSONSchema.BaseSchema): void {
  if (jsonSchema.type === "object" && jsonSchema.properties !== undefined) {
    jsonSchema.additionalProperties = true;
  }
  // `date-time` says what the long pattern says, and every language has a type for it.
  if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
  if (jsonSchema.propertyNames !== undefined) delete jsonSchema.required;
  delete jsonSchema.propertyNames;
  // A value of several types is any value, because many languages have no type for it.
  const types = jsonSchema.anyOf?.filter(({ type }) => type !== undefined && type !== "null") ?? [];
  if (types.length > 1 && types.every(({ type }) => type !== "object")) delete jsonSchema.anyOf;
  const { enum: values, const: value } = jsonSchema;
  if (values !== undefined) describeValues(jsonSchema, values);
  else if (typeof value === "string") describeValues(jsonSchema, [value]);
  delete jsonSchema.enum;
  delete jsonSchema.const;
}

const maxInt32 = 2 ** 31 - 1;

/** Names the size of integers, which generators need, and leaves out bounds of answers that only JavaScript has. */
function normaliseInteger(jsonSchema: JSONSchema.BaseSchema, io: "input" | "output"): void {
  if ((jsonSchema.maximum ?? Infinity) > maxInt32) jsonSchema.format = "int64";
  if (io === "input") return;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

/** Changes the JSON schema of a part of a request (`input`) or of an answer (`output`). */
export function adaptSchema(
  jsonSchema: JSONSchema.BaseSchema,
  io: "input" | "output",
  { isOpen }: DocumentOptions,
): void {
  if (jsonSchema.type === "integer") normaliseInteger(jsonSchema, io);
  if (io === "output" && isOpen) openAnswer(jsonSchema);
}
