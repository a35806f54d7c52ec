/** The names of what stores and schemas contain, as docs/data.md spells them. */
import { z } from "zod";

/** Whether neither SQLite nor the platform has created the table. */
function isOwnTable(name: string): boolean {
  return !/^(sqlite|_cf|d1)_/i.test(name);
}

/** Every column of a D1 database, as `table.column`. */
export async function listColumnsOf(database: D1Database): Promise<string[]> {
  const { results: tables } = await database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all<{ name: string }>();
  const columns = tables
    .filter(({ name }) => isOwnTable(name))
    .map(async ({ name: table }) => {
      const { results } = await database
        .prepare(`PRAGMA table_info(${table})`)
        .all<{ name: string }>();
      return results.map(({ name }) => `${table}.${name}`);
    });
  return (await Promise.all(columns)).flat();
}

/** What an object has stored: the columns of its tables, and the values of its key-value storage by their keys. */
export interface ObjectContent {
  readonly columns: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
  /** The value of the column `live.state`, which is JSON; undefined if there is no such column. */
  readonly state: unknown;
}

export function readObject({ sql, kv }: DurableObjectStorage): ObjectContent {
  const tables = sql
    .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
    .toArray()
    .filter(({ name }) => isOwnTable(name));
  return {
    columns: tables.flatMap(({ name: table }) =>
      sql
        .exec<{ name: string }>(`PRAGMA table_info(${table})`)
        .toArray()
        .map(({ name }) => `${table}.${name}`),
    ),
    values: Object.fromEntries(kv.list()),
    state: tables.some(({ name }) => name === "live")
      ? JSON.parse(sql.exec<{ state: string }>("SELECT state FROM live").one().state)
      : undefined,
  };
}

const nodeSchema = z.looseObject({
  $ref: z.string().optional(),
  $defs: z.record(z.string(), z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  additionalProperties: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  allOf: z.array(z.unknown()).optional(),
});

function joinPath(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/**
 * The fields of a stored value, as paths such as `refusals.lastActor.id`; an array is spelled as its elements. A part
 * of the schema that occurs again, such as a count, is listed with its fields where it occurs first.
 */
export function listFields(schema: z.ZodType): string[] {
  const root = nodeSchema.parse(
    z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "ref" }),
  );
  const seen = new Set<string>();
  const walk = (value: unknown, path: string): string[] => {
    const node = nodeSchema.safeParse(value).data;
    if (node === undefined) return [];
    const { $ref, properties = {}, items, additionalProperties, anyOf, oneOf, allOf } = node;
    if ($ref !== undefined) {
      if (seen.has($ref)) return [path];
      seen.add($ref);
      return walk(root.$defs?.[$ref.slice($ref.lastIndexOf("/") + 1)], path);
    }
    const parts = [items, ...(anyOf ?? []), ...(oneOf ?? []), ...(allOf ?? [])];
    const named = Object.entries(properties).map(
      ([name, child]) => [joinPath(path, name), child] as const,
    );
    // The keys of a record are no names of fields.
    const others = additionalProperties instanceof Object ? [additionalProperties] : [];
    const below = [
      ...named.flatMap(([name, child]) => walk(child, name)),
      ...[...parts, ...others].flatMap((part) => walk(part, path)),
    ].filter((name) => name !== path);
    return below.length === 0 ? [path] : below;
  };
  return [...new Set(walk(root, ""))];
}

/** The fields of a value as it was stored, in the same spelling. */
export function listFieldsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) {
    const elements = new Set(value.flatMap((one) => listFieldsOf(one, path)));
    return elements.size === 0 ? [path] : [...elements];
  }
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, child]) =>
    listFieldsOf(child, joinPath(path, name)),
  );
}
