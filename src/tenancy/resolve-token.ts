/**
 * Resolves an API token to its caller. Each isolate caches records for less than 30 s, the time within which
 * a revocation must take effect everywhere. The isolate that revokes a token or changes settings invalidates
 * its cache at once. D1 and the tenant's token register are read in parallel.
 */
import { cacheShard, controlDbOf, hasShard } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import { hashApiToken, parseApiToken } from "./api-token.ts";
import type { ResolvedToken } from "./caller.ts";
import { beginRead, findCachedToken } from "./token-cache.ts";
import { revokedForGood } from "./token-end.ts";
import { findRegisteredEnd } from "./token-register-client.ts";
import { findTokenByHash, touchToken } from "./token-store.ts";

/** The precision of `last_used_at`: a token in use causes one write a minute. */
const lastUseResolutionMs = 60_000;

/**
 * Finds a token's caller; undefined for a token without a record. A revoked token is cached like any other,
 * because a revocation is final.
 * @param now real time, Unix ms
 * @throws AppError `unavailable` if a store fails; StoreError if the tenant's settings are damaged
 */
export async function resolveToken(
  env: Env,
  token: string,
  now: number,
  waitUntil: (work: Promise<unknown>) => void,
): Promise<ResolvedToken | undefined> {
  const parsed = parseApiToken(token);
  if (parsed === undefined) return undefined;
  const read = beginRead(parsed.tenantId, now);
  const hash = await hashApiToken(token);
  const cached = findCachedToken(parsed.tenantId, hash, now);
  if (cached !== undefined) return cached;
  const db = controlDbOf(env);
  const lookup = findTokenByHash(db, hash).catch((error: unknown) => {
    log("error", "token_lookup_failed", { source: "d1", cause: causeOf(error) });
    throw new AppError("unavailable");
  });
  const [found, end] = await Promise.all([lookup, findRegisteredEnd(env, parsed.tenantId, hash)]);
  if (found === undefined) return undefined;
  const { token: record, tenant } = found;
  if (!hasShard(env, tenant.shard)) {
    log("error", "database_not_bound", { tenant_id: tenant.id });
    throw new AppError("unavailable");
  }
  cacheShard(env, tenant.id, tenant.shard, now);
  const ends = [record.expiresAt, end].filter((at) => at !== null);
  const revoked = record.revokedAt !== null || end === revokedForGood;
  const usedAt = record.lastUsedAt ?? Number.NEGATIVE_INFINITY;
  if (!revoked && now - usedAt >= lastUseResolutionMs) {
    // Only shown in the list of tokens, so the write may be lost.
    waitUntil(touchToken(db, record.id, now).catch(() => {}));
  }
  return read.complete(hash, tenant.settings, (policy) => ({
    caller: {
      tenantId: tenant.id,
      tokenId: record.id,
      mode: tenant.mode,
      permissions: record.permissions,
      expiresAt: ends.length === 0 ? null : Math.min(...ends),
      policy,
      location: { jurisdiction: tenant.jurisdiction, hint: policy.location.hint },
      destinations: tenant.destinations,
    },
    revoked,
    isTenantActive: tenant.status === "active",
  }));
}
