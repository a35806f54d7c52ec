/** Lists events as the API shows them, also by what their personal parts contain. */
import type { Database } from "../db/client.ts";
import type { Config } from "../env.ts";
import {
  type DecryptedEvent,
  decryptEvents,
  type FindTrailFacts,
  listKeyOwners,
} from "./decrypt-events.ts";
import type { NoncedParts } from "./leaf.ts";
import { findAuditKeys } from "./personal-store.ts";
import { type EventFilter, type EventPage, listEvents } from "./store.ts";

/** No index can contain personal parts, so a page with a condition on them opens so many: about 100 ms of computing. */
const maxOpenedEvents = 1_000;

export interface TrailFilter extends EventFilter {
  /** A condition on the personal parts, which are sealed. */
  readonly matchesParts?: ((parts: NoncedParts) => boolean) | undefined;
}

interface ListCall {
  readonly db: Database;
  readonly config: Config;
  readonly tenantId: string;
  readonly findFacts: FindTrailFacts;
}

interface DecryptedPage {
  readonly events: readonly DecryptedEvent[];
  /** As in `EventPage`. */
  readonly nextAfter: string | null;
}

async function decryptPage(call: ListCall, { events, nextAfter }: EventPage) {
  const { db, config, tenantId, findFacts } = call;
  const [keys, facts] = await Promise.all([
    findAuditKeys(db, tenantId, listKeyOwners(events)),
    findFacts(events),
  ]);
  return { events: await decryptEvents(config, events, keys, facts), nextAfter };
}

/**
 * Lists at most `limit` events, newest first. A page may be short although events follow, as `listEvents` says; with a
 * condition on personal parts, it considers at most 1,000 events that meet the other conditions.
 * @throws StoreError; MissingKeyError if the key that sealed an audit key is no longer in the ring
 */
export async function listTrail(
  call: ListCall,
  filter: TrailFilter,
  limit: number,
): Promise<DecryptedPage> {
  const { db, tenantId } = call;
  const { matchesParts } = filter;
  if (matchesParts === undefined) {
    return await decryptPage(call, await listEvents(db, tenantId, filter, limit));
  }
  const sealed = { ...filter, hasPersonalParts: true };
  const page = await decryptPage(call, await listEvents(db, tenantId, sealed, maxOpenedEvents));
  const matching = page.events.filter(({ parts }) => parts !== null && matchesParts(parts));
  const events = matching.slice(0, limit);
  const lastShown = events.at(-1)?.id ?? null;
  return { events, nextAfter: matching.length > limit ? lastShown : page.nextAfter };
}
