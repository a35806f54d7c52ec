/** Relocations of tenants with the operator's requests, and reads of the data in each database. */
import { env } from "cloudflare:workers";
import { type Answer, send, type Tenant } from "./client.ts";
import { databases, rowsIn } from "./databases.ts";

/** The tables with a tenant's data, which a relocation moves. */
export const tenantTables = [
  "identities",
  "audit_events",
  "audit_tiles",
  "audit_trees",
  "assessments",
  "populations",
  "tenant_statistics",
  "archived_successes",
  "passkey_claims",
  "personal_expiries",
] as const;

const maxSlices = 200;

export async function relocate(tenant: Tenant, shard: number, limit = 100): Promise<Answer> {
  return await send("POST", `/v1/tenants/${tenant.id}/relocation`, {
    token: env.OPERATOR_TOKEN,
    body: { relocation: { shard, limit } },
  });
}

/** Simulates the minute after which no isolate caches the old database of the tenant. */
export async function passMinuteAfterSwitch(tenant: Tenant): Promise<void> {
  await env.DB.prepare(
    "UPDATE relocations SET switched_at = switched_at - 61000 WHERE tenant_id = ?",
  )
    .bind(tenant.id)
    .run();
}

/** Requests slices until the relocation is done. @returns the last answer */
export async function relocateFully(
  tenant: Tenant,
  shard: number,
  limit?: number,
): Promise<Answer> {
  for (let n = 0; n < maxSlices; n += 1) {
    const answer = await relocate(tenant, shard, limit);
    if (answer.status !== 200)
      throw new Error(`The relocation failed: ${JSON.stringify(answer.body)}`);
    const { phase, done } = answer.body.relocation;
    if (done) return answer;
    if (phase === "cleaning") await passMinuteAfterSwitch(tenant);
  }
  throw new Error("The relocation does not end");
}

/** Requests slices of one page until the relocation reaches the phase. */
export async function relocateUpTo(tenant: Tenant, shard: number, phase: string): Promise<void> {
  for (let n = 0; n < maxSlices; n += 1) {
    const { body } = await relocate(tenant, shard, 1);
    if (body.relocation.phase === phase) return;
  }
  throw new Error(`The relocation never reaches ${phase}`);
}

/** All rows of the tenant in a database, by table. Empty tables are omitted. */
export async function readTenantData(shard: 0 | 1 | 2, tenant: Pick<Tenant, "id">) {
  const found: Record<string, object[]> = {};
  for (const table of tenantTables) {
    const rows = await rowsIn(shard, table, tenant.id);
    if (rows.length > 0) found[table] = rows;
  }
  return found;
}

/** The state of the tenant's fence in each database. */
export async function readFences(tenant: Tenant): Promise<(string | null)[]> {
  return await Promise.all(
    databases().map((database) =>
      database
        .prepare("SELECT state FROM tenant_fences WHERE tenant_id = ?")
        .bind(tenant.id)
        .first<string>("state"),
    ),
  );
}

/** Deletes rows of a tenant that is arriving in `DB_1`, as no step of the service can. */
export async function deleteBehindFence(
  tenant: Tenant,
  table: (typeof tenantTables)[number],
  condition: string,
): Promise<void> {
  const [, database] = databases();
  const setFence = (state: string) =>
    database
      .prepare("UPDATE tenant_fences SET state = ? WHERE tenant_id = ?")
      .bind(state, tenant.id);
  const deletion = database.prepare(`DELETE FROM ${table} WHERE tenant_id = ? AND ${condition}`);
  await database.batch([setFence("clearing"), deletion.bind(tenant.id), setFence("arriving")]);
}
