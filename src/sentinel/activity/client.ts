/** Calls the prefix watch of an address block from the edge. */
import { awaitWithin } from "../../deadline.ts";
import { stubFor, type Location } from "../../location.ts";
import { causeOf, log } from "../../log.ts";
import type { Crowd } from "../evidence.ts";
import type { Address } from "../network/address.ts";
import { hashSessionPart, prefixOf } from "../session-hashes.ts";

/** A login does not wait longer than this for the count. */
const timeoutMs = 1_000;

/**
 * Counts an attempt from the address. Never throws.
 * @param key ADDRESS_HASH_KEY
 * @param now Unix ms; the tenant's test clock if one was sent
 * @returns distinct identities in ten minutes, this one included; undefined if the watch gave no answer
 */
export async function countAttempt(
  { PREFIXES }: Pick<Env, "PREFIXES">,
  key: Uint8Array,
  { tenantId, location }: { readonly tenantId: string; readonly location: Location },
  address: Address,
  identityId: string,
  now: number,
  requestId: string,
): Promise<Crowd | undefined> {
  try {
    const prefix = hashSessionPart(key, tenantId, "prefix", prefixOf(address));
    const watch = stubFor(PREFIXES, `${tenantId}:${prefix}`, location);
    const hash = hashSessionPart(key, tenantId, "address", address.text);
    // The id may belong to no user, so the watch must not store it in plain text.
    const identity = hashSessionPart(key, tenantId, "identity", identityId);
    const crowd = await awaitWithin(
      timeoutMs,
      watch.count({ address: hash, identityId: identity, now }),
    );
    return crowd ?? undefined;
  } catch (error) {
    log("error", "prefix_watch_unreachable", { request_id: requestId, cause: causeOf(error) });
    return undefined;
  }
}
