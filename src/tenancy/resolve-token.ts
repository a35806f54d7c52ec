/**
 * Resolves an API token to its caller. Each isolate caches records for less than 30 s, the time within which
 * a revocation must take effect everywhere. The isolate that revokes a token or changes settings invalidates
 * its cache at once. D1 and the tenant's token register are read in parallel.
 */
import { BoundedMap } from "../bounded-map.ts";
import { cacheShard, controlDbOf, hasShard } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import { hashApiToken, parseApiToken } from "./api-token.ts";
import type { ResolvedToken, TenantCaller } from "./caller.ts";
import { policyOf } from "./settings.ts";
import { revokedForGood } from "./token-end.ts";
import { findRegisteredEnd } from "./token-register-client.ts";
import { findTokenByHash, touchToken } from "./token-store.ts";

/** With the 2 s that a read may take and a margin for the clocks, this stays below 30 s. */
const cacheMs = 25_000;
const maxCached = 10_000;
/** Entries in the address lists of all cached policies; each token has its own copy of up to 1,000. */
const maxCachedEntries = 50_000;
/** The precision of `last_used_at`: a token in use causes one write a minute. */
const lastUseResolutionMs = 60_000;

interface CachedToken extends Omit<ResolvedToken, "isCached"> {
  /** When the read began, Unix ms: the record may have changed right after. */
  readonly readAt: number;
}

const cache = new BoundedMap<string, CachedToken>({
  maxEntries: maxCached,
  maxWeight: maxCachedEntries,
  weightOf: ({ caller: { policy } }) => policy.sentinel.allow.length + policy.sentinel.deny.length,
});
/** Counts the changes in this isolate. A read that was in progress during a change is not cached. */
let changes = 0;

/** Invalidates this isolate's cache of a tenant's tokens and settings. */
export function invalidateTenant(tenantId: string): void {
  changes += 1;
  for (const [hash, { caller }] of cache) if (caller.tenantId === tenantId) cache.delete(hash);
}

/**
 * Finds a token's caller; undefined for a token without a record. A revoked token is cached like any other,
 * because a revocation is final.
 * @param now real time, Unix ms
 * @param ignoreCache reads the stores, also if the token is cached
 * @throws AppError `unavailable` if a store fails
 */
export async function resolveToken(
  env: Env,
  token: string,
  now: number,
  ignoreCache: boolean,
  waitUntil: (work: Promise<unknown>) => void,
): Promise<ResolvedToken | undefined> {
  const hash = hashApiToken(token);
  const known = cache.get(hash);
  const isYoung = known !== undefined && now - known.readAt < cacheMs && now >= known.readAt;
  if (isYoung && !ignoreCache) return { ...known, isCached: true };
  cache.delete(hash);
  const read = parseApiToken(token);
  if (read === undefined) return undefined;
  const changesBefore = changes;
  const db = controlDbOf(env);
  const lookup = findTokenByHash(db, hash).catch((error: unknown) => {
    log("error", "token_lookup_failed", { source: "d1", cause: causeOf(error) });
    throw new AppError("unavailable");
  });
  const [found, end] = await Promise.all([lookup, findRegisteredEnd(env, read.tenantId, hash)]);
  if (found === undefined) return undefined;
  const { token: record, tenant } = found;
  if (!hasShard(env, tenant.shard)) {
    log("error", "database_not_bound", { tenant_id: tenant.id });
    throw new AppError("unavailable");
  }
  cacheShard(env, tenant.id, tenant.shard, now);
  const ends = [record.expiresAt, end].filter((at) => at !== null);
  const policy = policyOf(tenant.settings);
  const caller: TenantCaller = {
    tenantId: tenant.id,
    tokenId: record.id,
    mode: tenant.mode,
    permissions: record.permissions,
    expiresAt: ends.length === 0 ? null : Math.min(...ends),
    policy,
    location: { jurisdiction: tenant.jurisdiction, hint: policy.location.hint },
  };
  const revoked = record.revokedAt !== null || end === revokedForGood;
  if (changes === changesBefore) cache.set(hash, { caller, revoked, readAt: now });
  const usedAt = record.lastUsedAt ?? Number.NEGATIVE_INFINITY;
  if (!revoked && now - usedAt >= lastUseResolutionMs) {
    // Only shown in the list of tokens, so the write may be lost.
    waitUntil(touchToken(db, record.id, now).catch(() => {}));
  }
  return { caller, revoked, isCached: false };
}
