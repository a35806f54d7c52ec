/** The routes of D1. */
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Account, Database } from "./account.ts";
import { fail, showPage, succeed } from "./answer.ts";
import { type Call, parseBody, type Route } from "./route.ts";

function showDatabase({ uuid, name, jurisdiction }: Database) {
  return { uuid, name, jurisdiction, version: "production", num_tables: 0, file_size: 0 };
}

/** Runs statements as D1 does: all of them or none. @throws Error of SQLite */
function runBatch(sql: DatabaseSync, text: string): unknown[] {
  // A query is one statement without an effect; wrangler adds a comment or none.
  if (/^\s*(?:SELECT|PRAGMA)\b/i.test(text)) return sql.prepare(text).all();
  sql.exec("BEGIN");
  try {
    sql.exec(text);
    sql.exec("COMMIT");
  } catch (error) {
    sql.exec("ROLLBACK");
    throw error;
  }
  return [];
}

function quote(value: unknown): string {
  if (value === null) return "NULL";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString("hex")}'`;
  return `'${String(value).replaceAll("'", "''")}'`;
}

const tableSchema = z.object({ name: z.string(), sql: z.string() });

/** The database as SQL. */
export function exportDatabase(sql: DatabaseSync): string {
  const lines = ["PRAGMA defer_foreign_keys=TRUE;"];
  const tables = sql
    .prepare(
      "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .all()
    .map((row) => tableSchema.parse(row));
  for (const { name, sql: definition } of tables) {
    lines.push(`${definition};`);
    for (const row of sql.prepare(`SELECT * FROM "${name}"`).all()) {
      lines.push(`INSERT INTO "${name}" VALUES(${Object.values(row).map(quote).join(",")});`);
    }
  }
  const others = sql.prepare(
    "SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql NOT NULL",
  );
  for (const row of others.all()) lines.push(`${String(row.sql)};`);
  return `${lines.join("\n")}\n`;
}

function findDatabase(account: Account, { parameters }: Call): Database | undefined {
  return account.databases.get(parameters.database ?? "");
}

const noDatabase = () => fail(404, 7404, "The database could not be found");

const ofAccount = "/accounts/:account";

export const databaseRoutes: readonly Route[] = [
  {
    method: "GET",
    path: `${ofAccount}/d1/database`,
    answer: ({ databases }, { query }) => {
      // Cloudflare finds names that contain the text.
      const wanted = query.get("name") ?? "";
      const found = [...databases.values()].filter(({ name }) => name.includes(wanted));
      return showPage(found.map(showDatabase), query);
    },
  },
  {
    method: "POST",
    path: `${ofAccount}/d1/database`,
    writes: true,
    answer: (account, call) => {
      const { name, jurisdiction } = z
        .object({ name: z.string(), jurisdiction: z.string().optional() })
        .parse(parseBody(call));
      if ([...account.databases.values()].some((one) => one.name === name)) {
        return fail(400, 7502, `A database with the name ${name} already exists`);
      }
      return succeed(showDatabase(account.createDatabase(name, jurisdiction ?? null)));
    },
  },
  {
    method: "GET",
    path: `${ofAccount}/d1/database/:database`,
    answer: (account, call) => {
      const found = findDatabase(account, call);
      return found === undefined ? noDatabase() : succeed(showDatabase(found));
    },
  },
  {
    method: "POST",
    path: `${ofAccount}/d1/database/:database/query`,
    writes: ({ body }) => !/^\{"sql":"\s*(?:SELECT|PRAGMA)\b/i.test(body.toString("utf8")),
    answer: (account, call) => {
      const found = findDatabase(account, call);
      if (found === undefined) return noDatabase();
      try {
        const results = runBatch(found.sql, z.string().parse(parseBody(call).sql));
        return succeed([{ results, success: true, meta: { duration: 1 } }]);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return fail(400, 7500, `${message}: SQLITE_ERROR`);
      }
    },
  },
  {
    method: "POST",
    path: `${ofAccount}/d1/database/:database/export`,
    answer: (account, call) => {
      const found = findDatabase(account, call);
      if (found === undefined) return noDatabase();
      // The first request begins the export, and the next one finds it complete.
      const isBegun = typeof parseBody(call).current_bookmark === "string";
      const state = isBegun
        ? {
            status: "complete",
            result: { signed_url: `${call.origin}/exports/${found.uuid}`, filename: "export.sql" },
          }
        : { status: "active" };
      return succeed({ success: true, type: "export", at_bookmark: "0-1", messages: [], ...state });
    },
  },
  {
    method: "GET",
    path: `${ofAccount}/d1/database/:database/time_travel/bookmark`,
    answer: (account, call) =>
      findDatabase(account, call) === undefined
        ? noDatabase()
        : succeed({ bookmark: "00000085-0000024c-00004c6d-8e61117bf38d7adb71b934ebbf891683" }),
  },
];
