/** Access to a tenant's day keys behind the API, only to evict, interrupt or inspect them. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { latin1 } from "./stores.ts";

export function personalKeysOf(tenantId: string) {
  return env.PERSONAL_KEYS.get(env.PERSONAL_KEYS.idFromName(tenantId));
}

/** The rows of the object: the keys as text by day, null for the mark of the last deleted day. */
export async function readDayKeys(tenantId: string): Promise<Map<number, string | null>> {
  return await runInDurableObject(personalKeysOf(tenantId), (_keys, { storage: { sql } }) => {
    const hasTable =
      sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'day_keys'").toArray().length > 0;
    if (!hasTable) return new Map();
    return new Map(
      sql
        .exec<{ day: number; key: ArrayBuffer | null }>(
          "SELECT day, key FROM day_keys ORDER BY day",
        )
        .toArray()
        .map(({ day, key }) => [day, key === null ? null : latin1(new Uint8Array(key))]),
    );
  });
}

/** Ends the object at once, as when its machine is lost. What it has answered is stored. */
export async function killPersonalKeys(tenantId: string): Promise<void> {
  await runInDurableObject(personalKeysOf(tenantId), (_keys, ctx) => {
    ctx.abort("killed by a test");
  }).catch(() => {});
}

/** Deletes all keys, as when every day up to now has expired, so that later days have keys again. */
export async function expireDays(tenantId: string, firstKeptDay: number): Promise<void> {
  await personalKeysOf(tenantId).deleteKeysBelow(firstKeptDay);
}

/** The names of the keys under which the tenant's events are sealed, in the order of the log. */
export async function readKeyNames(tenantId: string): Promise<(string | null)[]> {
  const { results } = await env.DB.prepare(
    "SELECT personal_key FROM audit_events WHERE tenant_id = ? ORDER BY leaf_index",
  )
    .bind(tenantId)
    .all<{ personal_key: string | null }>();
  return results.map(({ personal_key: name }) => name);
}
