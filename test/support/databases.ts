/** The databases of the tests, by shard: `DB` and two others. */
import { env } from "cloudflare:workers";

export function databases(): readonly [D1Database, D1Database, D1Database] {
  const { DB, DB_1, DB_2 } = env;
  if (DB_1 === undefined || DB_2 === undefined) throw new Error("A database is missing");
  return [DB, DB_1, DB_2];
}

type Row = Record<string, string | number | null>;

/** A tenant's rows of a table in one database. */
export async function rowsIn(shard: 0 | 1 | 2, table: string, tenantId: string): Promise<Row[]> {
  const statement = databases()[shard].prepare(`SELECT * FROM ${table} WHERE tenant_id = ?`);
  return (await statement.bind(tenantId).all<Row>()).results;
}
