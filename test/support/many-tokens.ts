/** Adds many API tokens to a tenant in D1, in one statement. */
import { env } from "cloudflare:workers";
import type { Tenant } from "./client.ts";

/** Unix ms. */
interface Ends {
  readonly revokedAt?: number;
  readonly expiresAt?: number;
}

/** Adds tokens that never end, or have these ends. @returns the id of the n-th, from 1 */
export async function addTokens(
  tenant: Tenant,
  count: number,
  { revokedAt, expiresAt }: Ends = {},
): Promise<(n: number) => string> {
  const prefix = `${tenant.id}${crypto.randomUUID().slice(0, 8)}`;
  await env.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
     INSERT INTO api_tokens (id, tenant_id, name, hash, permissions, created_at, revoked_at, expires_at)
     SELECT ?1 || n, ?3, 'one of many', ?1 || n, '["idp:read"]', 0, ?4, ?5 FROM numbers`,
  )
    .bind(prefix, count, tenant.id, revokedAt ?? null, expiresAt ?? null)
    .run();
  return (n) => `${prefix}${n}`;
}
