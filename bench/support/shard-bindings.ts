/** Selects databases of an environment. */

export type BoundDatabases = Readonly<Record<string, D1Database>>;

/** The first `count` databases, by binding. */
export function databasesOf(env: Env, count: number): BoundDatabases {
  return Object.fromEntries(
    Array.from({ length: count }, (_, shard) => {
      const name: `DB_${number}` = `DB_${shard}`;
      const database = shard === 0 ? env.DB : env[name];
      if (database === undefined) throw new Error(`There is no ${name}`);
      return [shard === 0 ? "DB" : name, database] as const;
    }),
  );
}

/** An environment with only the first `count` of its four databases. */
export function withDatabases(env: Env, count: number): Env {
  const { DB_1: _first, DB_2: _second, DB_3: _third, ...rest } = env;
  return { ...rest, ...databasesOf(env, count) };
}
