/** Creates tenants spread over databases, delivers waves of events to them, and moves one. */
import { z } from "zod";
import type { Service } from "./service.ts";
import type { BoundDatabases } from "./shard-bindings.ts";

/** Sends a request to a route of the bench. @returns its answer */
export async function sendRequest<T>(
  { url }: Service,
  path: string,
  body: object,
  answer: z.ZodType<T>,
) {
  const response = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return answer.parse(await response.json());
}

/** Creates tenants, each in the next database. @returns their ids */
export async function createTenants(
  service: Service,
  count: number,
  databases: number,
): Promise<readonly string[]> {
  const answer = z.object({ ids: z.array(z.string()) });
  return (await sendRequest(service, "/bench/tenants", { count, databases }, answer)).ids;
}

export interface Wave {
  readonly deliveries: number;
  readonly ms: number;
  /** Deliveries that failed and were retried. */
  readonly failures: number;
}

const waveAnswer = z.object({ failures: z.number() });

/**
 * Delivers one login for each of these tenants.
 * @param databases the number of databases that the Worker uses. @param pace batches a second for each database
 */
export async function runWave(
  service: Service,
  tenants: readonly string[],
  databases: number,
  pace?: number,
): Promise<Wave> {
  const startedAt = performance.now();
  const body = { tenants, databases, pace };
  const { failures } = await sendRequest(service, "/bench/wave", body, waveAnswer);
  return { deliveries: tenants.length, ms: performance.now() - startedAt, failures };
}

/** Counts tenants and events in each database. */
export async function countEvents(databases: BoundDatabases) {
  return await Promise.all(
    Object.entries(databases).map(async ([name, database]) => {
      const row = await database
        .prepare(
          "SELECT count(*) AS events, count(DISTINCT tenant_id) AS tenants FROM audit_events",
        )
        .first<{ events: number; tenants: number }>();
      return { name, events: row?.events ?? 0, tenants: row?.tenants ?? 0 };
    }),
  );
}

const answer = z.object({
  relocation: z.object({ phase: z.string(), done: z.boolean(), copied: z.number() }),
});

/** Moves a tenant over HTTP until its database has switched. @returns the rows copied, and the time */
export async function moveTenant(service: Service, tenantId: string, shard: number) {
  const startedAt = performance.now();
  for (;;) {
    const response = await fetch(`${service.url}/v1/tenants/${tenantId}/relocation`, {
      method: "POST",
      headers: {
        Authorization: `Bearer ${service.operatorToken}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ relocation: { shard, limit: 14 } }),
    });
    if (!response.ok) throw new Error(`The move answered ${response.status}`);
    const { phase, done, copied } = answer.parse(await response.json()).relocation;
    if (done || phase === "cleaning") return { copied, ms: performance.now() - startedAt };
  }
}

/** Reads the leaf indexes of a tenant's log in a database, in order. */
export async function readLeaves(database: D1Database, tenantId: string): Promise<number[]> {
  const { results } = await database
    .prepare("SELECT leaf_index AS n FROM audit_events WHERE tenant_id = ? ORDER BY leaf_index")
    .bind(tenantId)
    .all<{ n: number }>();
  return results.map(({ n }) => n);
}
