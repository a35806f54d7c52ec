/** Reads a tenant's log across its two stores: the oldest events are in the archive, the others in D1. */
import type { Database } from "../../db/client.ts";
import { findTenantDb } from "../../db/shards.ts";
import { listKeyOwners } from "../decrypt-events.ts";
import type { StoredEvent } from "../event.ts";
import { type EventsWithKeys, findAuditKeys, readEventPage } from "../personal-store.ts";
import { findEvent, readEvents } from "../store.ts";
import {
  type ArchivedEvents,
  type ArchivePosition,
  readArchive,
  readArchiveAt,
} from "./read-archive.ts";

/** Consecutive events of the log, in order. */
export interface TrailPage extends EventsWithKeys {
  /** Where the archive has the next event, if the page is from there. */
  readonly next: ArchivePosition | undefined;
  readonly isArchived: boolean;
  /** Queries that D1 has had for the page. */
  readonly queries: number;
}

export interface PageLimits {
  readonly maxEvents: number;
  /** No further event is read once the stored ones have so many. */
  readonly maxBytes: number;
}

/**
 * Reads a page of events with `from` ≤ leaf index < `below`; an empty one only if there are none.
 *
 * D1 is read before the archive, so an event that moves in between is found in the archive. If neither has
 * the first leaf, it was deleted, and the events after it are returned.
 * @param position where the archive has `from`, if the page before this one reported it
 */
export async function readTrailPage(
  env: Env,
  db: Database,
  tenantId: string,
  range: { readonly from: number; readonly below: number },
  limits: PageLimits,
  position: ArchivePosition | undefined,
): Promise<TrailPage> {
  const { AUDIT_ARCHIVE: bucket } = env;
  const { from, below } = range;
  const addKeys = async ({ events, next }: ArchivedEvents, queries: number): Promise<TrailPage> => {
    const keys = await findAuditKeys(db, tenantId, listKeyOwners(events));
    return { events, keys, next, isArchived: true, queries };
  };
  if (bucket !== undefined && position !== undefined) {
    const archived = await readArchiveAt(bucket, position, range, limits.maxBytes);
    if (archived.events.length > 0) return await addKeys(archived, 1);
  }
  const recent = await readEventPage(db, tenantId, range, limits);
  const [first] = recent.events;
  if (bucket !== undefined && first?.leafIndex !== from) {
    const archived = await readArchive(bucket, tenantId, range, limits.maxBytes);
    if (archived.events.length > 0) return await addKeys(archived, 2);
  }
  const stored = { next: undefined, isArchived: false };
  if (first !== undefined) return { ...recent, ...stored, queries: 1 };
  const [present] = await readEvents(db, tenantId, from, below, 1);
  const start = present?.leafIndex ?? below;
  const later = await readEventPage(db, tenantId, { from: start, below }, limits);
  return { ...later, ...stored, queries: 3 };
}

/**
 * Finds an event by its id.
 * @param leafIndex needed for an event that has left D1: the archive is read by leaf index only
 */
export async function findInTrail(
  env: Env,
  tenantId: string,
  id: string,
  leafIndex: number | undefined,
): Promise<StoredEvent | undefined> {
  const { AUDIT_ARCHIVE: bucket } = env;
  // D1 is read before the archive, so an event that moves in between is found in the archive.
  const found = await findEvent(await findTenantDb(env, tenantId), tenantId, id);
  if (found !== undefined || leafIndex === undefined || bucket === undefined) return found;
  const range = { from: leafIndex, below: leafIndex + 1 };
  const { events } = await readArchive(bucket, tenantId, range);
  return events.find((event) => event.id === id);
}
