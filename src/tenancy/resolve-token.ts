/**
 * From a presented API token to its caller. Records are kept in the isolate's memory for less than
 * 30 s, the bound within which a revocation takes effect everywhere; the isolate that revokes or
 * changes settings forgets at once. D1 and the tenant's register of ended tokens are asked side by side.
 */
import { controlDb, hasShard, cacheShard } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import { hashApiToken, parseApiToken } from "./api-token.ts";
import type { ResolvedToken, TenantCaller } from "./caller.ts";
import { policyOf } from "./settings.ts";
import { findTokenByHash, touchToken } from "./store.ts";
import { findRegisteredEnd } from "./token-register-client.ts";
import { revokedForGood } from "./token-register.ts";

/** With the 2 s a read may take, and some for the clocks, this stays within 30 s. */
const cacheMs = 25_000;
const maxCached = 10_000;
/** Entries in the lists of all policies together: each token has its own copy, of a thousand at most. */
const maxCachedEntries = 50_000;
/** `last_used_at` is this exact: one write a minute for a token in use. */
const lastUseResolutionMs = 60_000;

interface CachedToken extends Omit<ResolvedToken, "isCached"> {
  /** When the read began: what it saw may have changed right after. */
  readonly readAt: number;
}

const cache = new Map<string, CachedToken>();
let cachedEntries = 0;
/** Grows with every change made here: a read that was under way meanwhile is not kept. */
let changes = 0;

function entriesOf({ caller: { policy } }: CachedToken): number {
  return policy.sentinel.allow.length + policy.sentinel.deny.length;
}

function invalidate(hash: string): void {
  const entry = cache.get(hash);
  if (entry === undefined) return;
  cache.delete(hash);
  cachedEntries -= entriesOf(entry);
}

/** Forgets what this isolate knows of a tenant's tokens and settings. */
export function invalidateTenant(tenantId: string): void {
  changes += 1;
  for (const [hash, { caller }] of cache) if (caller.tenantId === tenantId) invalidate(hash);
}

/** Where there is no room the oldest go. */
function store(hash: string, entry: CachedToken): void {
  invalidate(hash);
  cache.set(hash, entry);
  cachedEntries += entriesOf(entry);
  for (const oldest of cache.keys()) {
    if (cache.size <= maxCached && cachedEntries <= maxCachedEntries) return;
    invalidate(oldest);
  }
}

/**
 * Undefined for a token without a record: it is nobody's. A revoked one is found by the same read,
 * and kept like the others, since nothing brings it back.
 *
 * @param now real time, Unix ms
 * @param anew asks the stores, whatever is remembered
 * @throws AppError `unavailable` when the store fails
 */
export async function resolveToken(
  env: Env,
  token: string,
  now: number,
  anew: boolean,
  waitUntil: (work: Promise<unknown>) => void,
): Promise<ResolvedToken | undefined> {
  const hash = hashApiToken(token);
  const known = cache.get(hash);
  const isYoung = known !== undefined && now - known.readAt < cacheMs && now >= known.readAt;
  if (isYoung && !anew) return { ...known, isCached: true };
  invalidate(hash);
  const read = parseApiToken(token);
  if (read === undefined) return undefined;
  const changesBefore = changes;
  const db = controlDb(env);
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
  if (changes === changesBefore) store(hash, { caller, revoked, readAt: now });
  const usedAt = record.lastUsedAt ?? Number.NEGATIVE_INFINITY;
  if (!revoked && now - usedAt >= lastUseResolutionMs) {
    // A courtesy to the reader of the list, not a security state: it may be lost.
    waitUntil(touchToken(db, record.id, now).catch(() => {}));
  }
  return { caller, revoked, isCached: false };
}
