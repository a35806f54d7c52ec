/**
 * Removes from a value what its schema knows (pure): an object becomes the array of its values in the order of
 * the schema, a name of an enum its position, and a hash its bytes. Nothing is lost. Stored values depend on
 * the order of fields and names: only append to a schema, and only optional fields.
 */
import { hex } from "@scure/base";
import { z } from "zod";
import type { CborValue } from "../crypto/cbor.ts";

/** A keyed hash of session-hashes.ts. */
const hashPattern = /^[0-9a-f]{16}$/;
const fieldsSchema = z.record(z.string(), z.unknown());
/** Stands for an absent optional field, whose value is never a boolean. */
const absent = false;

/** @throws an error for a value that the schema does not allow */
export function toCompact(schema: unknown, value: unknown): CborValue {
  if (schema instanceof z.ZodReadonly) return toCompact(schema.unwrap(), value);
  if (schema instanceof z.ZodNullable) {
    return value === null ? null : toCompact(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodOptional) {
    return value === undefined ? absent : toCompact(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodObject) {
    const fields = fieldsSchema.parse(value);
    const entries = Object.entries(schema.shape);
    // Absent fields at the end need no place: the form of older builds has none for them either.
    const last = entries.findLastIndex(
      ([name, field]) => !(field instanceof z.ZodOptional) || fields[name] !== undefined,
    );
    return entries.slice(0, last + 1).map(([name, field]) => toCompact(field, fields[name]));
  }
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item) => toCompact(schema.element, item));
  }
  if (schema instanceof z.ZodEnum) {
    const position = schema.options.findIndex((name: unknown) => Object.is(name, value));
    if (position === -1) throw new RangeError("A name is not in the schema");
    return position;
  }
  if (schema instanceof z.ZodBoolean && typeof value === "boolean") return value;
  if (schema instanceof z.ZodNumber && typeof value === "number") return value;
  if (schema instanceof z.ZodString && typeof value === "string") {
    return hashPattern.test(value) ? hex.decode(value) : value;
  }
  throw new TypeError("A value does not fit its schema");
}

/** Restores a value, which the caller validates. @throws TypeError or RangeError for a damaged one */
export function fromCompact(schema: unknown, stored: unknown): unknown {
  if (schema instanceof z.ZodReadonly) return fromCompact(schema.unwrap(), stored);
  if (schema instanceof z.ZodNullable) {
    return stored === null ? null : fromCompact(schema.unwrap(), stored);
  }
  if (schema instanceof z.ZodOptional) {
    const isAbsent = stored === absent || stored === undefined;
    return isAbsent ? undefined : fromCompact(schema.unwrap(), stored);
  }
  if (schema instanceof z.ZodObject && Array.isArray(stored)) {
    const fields = Object.entries(schema.shape).map(
      ([name, field], index) => [name, fromCompact(field, stored[index])] as const,
    );
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  }
  if (schema instanceof z.ZodArray && Array.isArray(stored)) {
    return stored.map((item) => fromCompact(schema.element, item));
  }
  if (schema instanceof z.ZodEnum && typeof stored === "number") {
    const name = schema.options[stored];
    if (name === undefined) throw new RangeError("No name has this position");
    return name;
  }
  if (schema instanceof z.ZodString && stored instanceof Uint8Array) return hex.encode(stored);
  const isLeaf =
    schema instanceof z.ZodString ||
    schema instanceof z.ZodNumber ||
    schema instanceof z.ZodBoolean;
  if (isLeaf) return stored;
  throw new TypeError("A stored value does not fit its schema");
}
