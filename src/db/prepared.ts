/**
 * Statements whose text Drizzle renders once. Rendering one takes longer than its execution, so those that every
 * delivery needs are prepared: each use only binds its own values.
 */
import { fillPlaceholders, type Placeholder, type Query, sql } from "drizzle-orm";
import type { Database, Statement } from "./client.ts";

/** A query with a placeholder for each value that it binds. */
interface Rendered {
  toSQL(): Query;
}

/** Stands for a value of that name. */
export type PlaceholderOf<Values> = (name: keyof Values & string) => Placeholder;

/**
 * Prepares a statement. Its result is D1's own; nothing is mapped.
 * @param build builds the query, which must not depend on anything but the placeholders
 */
export function prepareStatement<Values extends object>(
  build: (db: Database, value: PlaceholderOf<Values>) => Rendered,
): (db: Database, values: Values) => Statement {
  let rendered: Query | undefined;
  return (db, values) => {
    rendered ??= build(db, (name) => sql.placeholder(name)).toSQL();
    const { sql: text, params } = rendered;
    const bound = {
      sql: text,
      params: fillPlaceholders(params, Object.fromEntries(Object.entries(values))),
    };
    const prepared = {
      stmt: db.$client.prepare(text),
      getQuery: () => bound,
      mapResult: (result: unknown) => result,
    };
    const statement = {
      _: { dialect: "sqlite" as const, result: undefined },
      _prepare: () => prepared,
    };
    return statement;
  };
}
