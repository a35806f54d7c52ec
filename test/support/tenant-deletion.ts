/** Deletes tenants, in virtual time: what waits for real time finds it passed. */
import { env } from "cloudflare:workers";
import { integrateLogs } from "../../src/audit/tree/integrate.ts";
import { type Answer, send, type Tenant } from "./client.ts";
import { databases } from "./databases.ts";

/** More requests than any deletion in a test takes. */
const maxRequests = 2_000;

/** Suspends the tenant, and makes that appear so many milliseconds old. */
export async function suspendSince(tenant: Pick<Tenant, "id">, ageMs: number): Promise<void> {
  const body = { tenant: { status: "suspended" } };
  await send("PATCH", `/v1/tenants/${tenant.id}`, { token: env.OPERATOR_TOKEN, body });
  await env.DB.prepare("UPDATE tenants SET suspended_at = ? WHERE id = ?")
    .bind(Date.now() - ageMs, tenant.id)
    .run();
}

export async function requestDeletion(tenant: Pick<Tenant, "id">, name = "Acme"): Promise<Answer> {
  const body = { tenant: { name } };
  return await send("DELETE", `/v1/tenants/${tenant.id}`, { token: env.OPERATOR_TOKEN, body });
}

/** Simulates that the time has passed for which a deletion waits, with its scheduled runs. */
export async function passWaiting(tenant: Pick<Tenant, "id">): Promise<void> {
  await integrateLogs(env, Date.now());
  await env.DB.prepare("UPDATE tenant_deletions SET due_at = 0 WHERE tenant_id = ?")
    .bind(tenant.id)
    .run();
}

/** Requests steps until the deletion is done. @returns all answers */
export async function deleteFully(tenant: Pick<Tenant, "id">): Promise<Answer[]> {
  const answers: Answer[] = [];
  while (answers.length < maxRequests) {
    const answer = await requestDeletion(tenant);
    answers.push(answer);
    if (answer.status === 204) return answers;
    if (answer.status !== 202) throw new Error(`Not deleted: ${JSON.stringify(answer.body)}`);
    await passWaiting(tenant);
  }
  throw new Error("The deletion does not end");
}

/** Every row of a database, with the name of its table. */
async function listRows(database: D1Database): Promise<(readonly [string, string])[]> {
  const { results } = await database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all<{ name: string }>();
  const tables = results.map(({ name }) => name).filter((name) => !/^(_cf|sqlite_|d1_)/.test(name));
  const rows = tables.map(async (table) => {
    const found = await database.prepare(`SELECT * FROM ${table}`).all();
    return found.results.map((row) => [table, JSON.stringify(row)] as const);
  });
  return (await Promise.all(rows)).flat();
}

/** The rows of all databases that contain the text, each with its shard and table. */
export async function listRowsWith(text: string): Promise<string[]> {
  const found = databases().map(async (database, shard) =>
    (await listRows(database))
      .filter(([, row]) => row.includes(text))
      .map(([table, row]) => `${shard} ${table} ${row}`),
  );
  return (await Promise.all(found)).flat().toSorted();
}

/** The tables, by shard, with a row that contains the text. */
export async function listTablesWith(text: string): Promise<string[]> {
  const rows = await listRowsWith(text);
  return [...new Set(rows.map((row) => row.split(" ").slice(0, 2).join(" ")))];
}
