/** Access to a tenant's refusal log behind the API, only to evict or inspect it. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { RefusalRun } from "../../src/guard/decisions/state.ts";
import { fireObjectAlarm } from "./object-alarm.ts";

export function refusalLogOf(tenantId: string) {
  return env.REFUSALS.get(env.REFUSALS.idFromName(tenantId));
}

export async function evictLog(tenantId: string): Promise<void> {
  await evictDurableObject(refusalLogOf(tenantId));
}

export async function fireLogAlarm(tenantId: string): Promise<boolean> {
  return await fireObjectAlarm(refusalLogOf(tenantId));
}

/** The stored state of the log: runs, undelivered events and the time of the alarm. */
export async function readRefusalLog(tenantId: string) {
  return await runInDurableObject(refusalLogOf(tenantId), async (_log, { storage }) => {
    const { state } = storage.sql.exec<{ state: string }>("SELECT state FROM live").one();
    const { n } = storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM outbox").one();
    const { runs }: { readonly runs: readonly RefusalRun[] } = JSON.parse(state);
    return { runs, size: state.length, undelivered: n, alarm: await storage.getAlarm() };
  });
}

export interface RefusalEvent {
  readonly id: string;
  readonly at: number;
  readonly actorId: string;
  readonly targetId: string;
  readonly reason: string;
  readonly requestId: string;
  readonly route: string;
  readonly count: number;
}

/** The events of refused requests in D1, in order of their leaf index. */
export async function readRefusalEvents(tenantId: string): Promise<readonly RefusalEvent[]> {
  const { results } = await env.DB.prepare(
    `SELECT id, at, actor_id AS actorId, target_id AS targetId, reason, request_id AS requestId,
       details ->> 'route' AS route, details ->> 'count' AS count
     FROM audit_events WHERE tenant_id = ? AND action = 'request.refused' ORDER BY leaf_index`,
  )
    .bind(tenantId)
    .all<Record<keyof RefusalEvent, string>>();
  return results.map((row) => ({ ...row, at: Number(row.at), count: Number(row.count) }));
}

export function sumOf(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((sum, { count }) => sum + count, 0);
}
