/** Calls the prefix watch of an address block from the edge. */
import { awaitWithin } from "../../deadline.ts";
import { type Location, stubFor } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { Crowd } from "../evidence.ts";
import type { SessionHashes } from "../session-hashes.ts";

/** A login does not wait longer than this for the count. */
const timeoutMs = 1_000;

/** An attempt that the watch has counted. */
export interface CountedAttempt {
  /** Distinct identities in ten minutes, this one included. */
  readonly crowd: Crowd;
  /** Stores the attempt. Call it once it is known that the identity exists. Never throws. */
  readonly store: () => Promise<void>;
}

/**
 * Counts an attempt from the address. Never throws.
 * @param now Unix ms; the tenant's test clock if one was sent
 * @returns undefined if the watch gave no answer
 */
export async function countAttempt(
  { PREFIXES }: Pick<Env, "PREFIXES">,
  { tenantId, location }: { readonly tenantId: string; readonly location: Location },
  { address, prefix, identity }: SessionHashes,
  now: number,
  requestId: string,
): Promise<CountedAttempt | undefined> {
  const onError = (error: unknown) =>
    log("error", "prefix_watch_unreachable", { request_id: requestId, cause: causeOf(error) });
  try {
    const watch = stubFor(PREFIXES, `${tenantId}:${prefix}`, location);
    const attempt = { address, identityId: identity, now };
    const counted = await awaitWithin(timeoutMs, watch.count(attempt));
    if (counted === null) return undefined;
    const { crowd, mustStore } = counted;
    return {
      crowd,
      store: async () => (mustStore ? await watch.store(attempt).catch(onError) : undefined),
    };
  } catch (error) {
    onError(error);
    return undefined;
  }
}
