/** A full database without a space reserve: it takes no INSERT and no UPDATE, only reads and DELETEs. */
import { env } from "cloudflare:workers";

/** Runs `work` while the database takes no INSERT and no UPDATE. */
export async function withUnwritableDatabase<T>(
  work: () => Promise<T>,
  database: D1Database = env.DB,
): Promise<T> {
  const { results } = await database.prepare("PRAGMA table_list").all<{ name: string }>();
  const tables = results.map(({ name }) => name).filter((name) => !/^(sqlite|_cf|d1)_/i.test(name));
  const triggers = tables.flatMap((table) =>
    ["INSERT", "UPDATE"].map((kind) => ({ name: `full_${table}_${kind}`, kind, table })),
  );
  await database.batch(
    triggers.map(({ name, kind, table }) =>
      database.prepare(
        `CREATE TRIGGER ${name} BEFORE ${kind} ON ${table} BEGIN SELECT RAISE(ABORT, 'Exceeded maximum DB size'); END`,
      ),
    ),
  );
  try {
    return await work();
  } finally {
    await database.batch(triggers.map(({ name }) => database.prepare(`DROP TRIGGER ${name}`)));
  }
}
