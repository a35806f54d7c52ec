/** The fields of the settings, as their JSON schema describes them, and what a reader types into them. */
import type { SchemaNode } from "../../../described-api.ts";

export interface SettingField {
  /** Such as `["lockout", "lock_seconds"]`. */
  readonly path: readonly string[];
  readonly kind: "number" | "text" | "choice" | "flag" | "list";
  readonly isWhole: boolean;
  readonly mayBeNull: boolean;
  readonly choices: readonly string[];
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly description: string | undefined;
}

/** The schema without the alternative `null`. */
function withoutNull(node: SchemaNode): { readonly node: SchemaNode; readonly mayBeNull: boolean } {
  const alternatives = node.anyOf?.filter(({ type }) => type !== "null");
  const [only] = alternatives ?? [];
  if (alternatives === undefined || only === undefined) return { node, mayBeNull: false };
  const { description = only.description } = node;
  const described = description === undefined ? only : { ...only, description };
  return { node: described, mayBeNull: node.anyOf?.length !== alternatives.length };
}

function kindOf(node: SchemaNode): SettingField["kind"] {
  if (node.enum !== undefined) return "choice";
  if (node.type === "integer" || node.type === "number") return "number";
  if (node.type === "boolean") return "flag";
  return node.type === "array" ? "list" : "text";
}

/** All fields below a part of the schema, without those that have a newer name. */
export function listFields(schema: SchemaNode, path: readonly string[] = []): SettingField[] {
  if (schema.deprecated === true) return [];
  const { node, mayBeNull } = withoutNull(schema);
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([name, child]) =>
      listFields(child, [...path, name]),
    );
  }
  return [
    {
      path,
      kind: kindOf(node),
      isWhole: node.type === "integer",
      mayBeNull,
      choices: node.enum ?? [],
      minimum: node.minimum,
      maximum: node.maximum,
      description: node.description,
    },
  ];
}

export type SettingValue = string | number | boolean | readonly string[] | null;

function isSettingValue(value: unknown): value is SettingValue {
  return (
    value === null ||
    ["string", "number", "boolean"].includes(typeof value) ||
    (Array.isArray(value) && value.every((item) => typeof item === "string"))
  );
}

/** The value of a field; null where nothing is set. */
export function readValue(settings: object, path: readonly string[]): SettingValue {
  let value: unknown = settings;
  for (const name of path) {
    value = typeof value === "object" && value !== null ? Object(value)[name] : null;
  }
  return isSettingValue(value) ? value : null;
}

/** The value as the reader edits it. A list has one item in each line. */
export function toText(value: SettingValue): string {
  if (value === null) return "";
  return typeof value === "object" ? value.join("\n") : String(value);
}

/** What the reader has typed; undefined if the field cannot hold it. */
export function parseText(field: SettingField, text: string): SettingValue | undefined {
  if (field.kind === "list") {
    const lines = text.split("\n").map((line) => line.trim());
    return lines.filter((line) => line !== "");
  }
  if (text === "") return field.mayBeNull ? null : field.kind === "text" ? "" : undefined;
  if (field.kind === "flag") return text === "true";
  if (field.kind !== "number") return text;
  const number = Number(text);
  return Number.isFinite(number) && (!field.isWhole || Number.isInteger(number))
    ? number
    : undefined;
}

export interface SettingChange {
  readonly field: SettingField;
  readonly before: SettingValue;
  readonly after: SettingValue;
}

export function isSame(one: SettingValue, other: SettingValue): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

type Tree = { [name: string]: Tree | SettingValue };

/** The body that makes these changes and no others. */
export function createPatch(changes: readonly SettingChange[]): object {
  const patch: Tree = {};
  for (const { field, after } of changes) {
    let place = patch;
    for (const name of field.path.slice(0, -1)) {
      const next = place[name];
      const below: Tree =
        typeof next === "object" && next !== null && !Array.isArray(next) ? Object(next) : {};
      place[name] = below;
      place = below;
    }
    place[field.path.at(-1) ?? ""] = after;
  }
  return patch;
}

/** `lock_seconds` as `Lock seconds`. */
export function labelOf(path: readonly string[]): string {
  const words = path.join(" · ").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
