import { isJsonObject } from "../json.ts";

/**
 * Checks of JSON values from outside. A shape finds the first fault of a value: its path and what it must be, as in
 * ".actor.id must be a string"; undefined if the value has the shape.
 */
export type Shape = (value: unknown) => string | undefined;

/** Whether a value has a shape, which must be that of `T`. */
export function hasShape<T>(value: unknown, shape: Shape): value is T {
  return shape(value) === undefined;
}

type Shapes = Readonly<Record<string, Shape>>;

/** The member of an object, or the value itself if it has no such member. */
export function unwrap(value: unknown, name: string): unknown {
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : value;
}

export const text: Shape = (value) => (typeof value === "string" ? undefined : " must be a string");

export const flag: Shape = (value) =>
  typeof value === "boolean" ? undefined : " must be true or false";

/** An index or a size. */
export const count: Shape = (value) =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? undefined
    : " must be an integer from 0";

export const hash: Shape = (value) =>
  typeof value === "string" && /^[0-9a-f]{64}$/.test(value)
    ? undefined
    : " must be a SHA-256 hash in hex";

/** An object whose members are no objects. */
export const plainValues: Shape = (value) =>
  isJsonObject(value) &&
  Object.values(value).every((member) => member === null || typeof member !== "object")
    ? undefined
    : " must be an object of plain values";

export function nullable(shape: Shape): Shape {
  return (value) => (value === null ? undefined : shape(value));
}

export function listOf(shape: Shape): Shape {
  return (value) => {
    if (!Array.isArray(value)) return " must be an array";
    for (const [index, member] of value.entries()) {
      const fault = shape(member);
      if (fault !== undefined) return `.${index}${fault}`;
    }
    return undefined;
  };
}

/** An object that has the members, and may have others. */
export function objectWith(members: Shapes): Shape {
  const shapes = Object.entries(members);
  return (value) => {
    if (!isJsonObject(value)) return " must be an object";
    for (const [name, shape] of shapes) {
      const fault = Object.hasOwn(value, name) ? shape(value[name]) : " is missing";
      if (fault !== undefined) return `.${name}${fault}`;
    }
    return undefined;
  };
}

/** An object that has the members, may have the optional ones, and has no others. */
export function exactObject(members: Shapes, optional: Shapes = {}): Shape {
  const hasMembers = objectWith(members);
  return (value) => {
    if (!isJsonObject(value)) return " must be an object";
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(members, name)) continue;
      const shape = Object.hasOwn(optional, name) ? optional[name] : undefined;
      const fault = shape === undefined ? " is not a member" : shape(value[name]);
      if (fault !== undefined) return `.${name}${fault}`;
    }
    return hasMembers(value);
  };
}

/** Removes the dot before the path: "actor.id must be a string". */
export function describeFault(fault: string): string {
  return fault.replace(/^[. ]/, "");
}
