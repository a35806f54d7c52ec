/**
 * The isolate's cache of token records. Each tenant has a share with a bound of its own, so that a tenant with
 * many tokens or long address lists evicts its own records first. All tokens of a tenant use one policy object.
 */
import { BoundedMap } from "../bounded-map.ts";
import type { ResolvedToken } from "./caller.ts";
import type { TenantPolicy } from "./policy.ts";
import { parseSettings, policyOf } from "./settings.ts";

/** With the 2 s that a read may take and a margin for the clocks, this stays below 30 s. */
const cacheMs = 25_000;
const maxTokensPerShare = 100;
/** The sizes count entries of address lists. A token needs about as much memory as five of them. */
const maxTotalSize = 100_000;
const tokenSize = 5;
const maxShares = 10_000;

interface CachedToken extends ResolvedToken {
  /** When the read began, Unix ms: the record may have changed right after. */
  readonly readAt: number;
}

interface Share {
  /** The tenant's settings as D1 stores them. */
  readonly settings: string;
  readonly policy: TenantPolicy;
  readonly tokens: BoundedMap<string, CachedToken>;
  /** The map of shares needs a size that does not change. A share with another size is set again. */
  readonly size: number;
}

const shares = new BoundedMap<string, Share>({
  maxEntries: maxShares,
  maxWeight: maxTotalSize,
  weightOf: ({ size }) => size,
});

/** The latest change of each tenant in this isolate. A read that began before it is not cached. */
const latestChanges = new BoundedMap<string, object>({ maxEntries: maxShares });

/** The share for these settings, without tokens if the settings have changed. @throws StoreError */
function openShare(tenantId: string, settings: string): Share {
  const known = shares.get(tenantId);
  if (known?.settings === settings) return known;
  const policy = policyOf(parseSettings(settings));
  return { settings, policy, tokens: new BoundedMap({ maxEntries: maxTokensPerShare }), size: 0 };
}

/** Invalidates this isolate's cache of a tenant's tokens and settings. */
export function invalidateTenant(tenantId: string): void {
  shares.delete(tenantId);
  latestChanges.set(tenantId, {});
}

/** Finds a record that is less than 25 s old. @param now real time, Unix ms */
export function findCachedToken(
  tenantId: string,
  hash: string,
  now: number,
): ResolvedToken | undefined {
  const known = shares.get(tenantId)?.tokens.get(hash);
  const isYoung = known !== undefined && now - known.readAt < cacheMs && now >= known.readAt;
  return isYoung ? known : undefined;
}

/** Begins a read of a token, whose result is cached unless the tenant changes meanwhile. */
export function beginRead(tenantId: string, readAt: number) {
  const changeBefore = latestChanges.get(tenantId);
  return {
    /**
     * Completes the record with the tenant's policy, and caches it.
     * @param settings the tenant's settings as D1 stores them. @throws StoreError
     */
    complete(
      hash: string,
      settings: string,
      resolve: (policy: TenantPolicy) => ResolvedToken,
    ): ResolvedToken {
      const share = openShare(tenantId, settings);
      const resolved = resolve(share.policy);
      if (latestChanges.get(tenantId) !== changeBefore) return resolved;
      const { tokens, policy } = share;
      tokens.set(hash, { ...resolved, readAt });
      const { allow, deny } = policy.sentinel;
      const size = allow.length + deny.length + tokens.size * tokenSize;
      shares.set(tenantId, { ...share, size });
      return resolved;
    },
  };
}
