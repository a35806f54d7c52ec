/** Reads a tenant's log across its two stores: the oldest events are in the archive, the others in D1. */
import type { Database } from "../../db/client.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { StoredEvent } from "../event.ts";
import { findEvent, readEvents } from "../store.ts";
import { readArchive } from "./archive.ts";

/**
 * Reads events with `from` ≤ leaf index < `below`, in order. May return fewer than `limit`; returns none
 * only if there are none.
 *
 * D1 is read before the archive, so an event that moves in between is found in the archive. If neither has
 * the first leaf, it was deleted, and the events after it are returned.
 */
export async function readTrail(
  env: Env,
  db: Database,
  tenantId: string,
  range: { readonly from: number; readonly below: number },
  limit: number,
): Promise<StoredEvent[]> {
  const { AUDIT_ARCHIVE: bucket } = env;
  const { from, below } = range;
  const recent = await readEvents(db, tenantId, from, Math.min(below, from + limit), limit);
  const [first] = recent;
  if (first?.leafIndex === from) return recent;
  const archived = bucket === undefined ? [] : await readArchive(bucket, tenantId, range);
  if (archived.length > 0) return archived;
  return first === undefined ? await readEvents(db, tenantId, from, below, limit) : recent;
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
  const db = await findTenantDb(env, tenantId);
  const found = await findEvent(db, tenantId, id);
  if (found !== undefined || leafIndex === undefined) return found;
  const range = { from: leafIndex, below: leafIndex + 1 };
  const [event] = await readTrail(env, db, tenantId, range, 1);
  return event?.id === id ? event : undefined;
}
