/**
 * A tenant's log as one, wherever its events are: the oldest in the archive, the others in D1.
 */
import type { Database } from "../../db/client.ts";
import { findTenantDb } from "../../db/shards.ts";
import type { StoredEvent } from "../stamp.ts";
import { findEvent, readEvents } from "../store.ts";
import { readArchive } from "./archive.ts";

/**
 * Some of the events from a leaf on, below another, in order; empty where there are none.
 *
 * D1 is read first and the archive after it: what moves from one to the other in between is in the
 * archive by then. Only where neither has the first leaf it is gone, and what follows is given.
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
  const near = await readEvents(db, tenantId, from, Math.min(below, from + limit), limit);
  const [first] = near;
  if (first?.leafIndex === from) return near;
  const archived = bucket === undefined ? [] : await readArchive(bucket, tenantId, range);
  if (archived.length > 0) return archived;
  return first === undefined ? await readEvents(db, tenantId, from, below, limit) : near;
}

/**
 * One event of the log.
 * @param leafIndex its place, for one that may have left D1: there it is found by its place alone
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
  const [placed] = await readTrail(env, db, tenantId, range, 1);
  return placed?.id === id ? placed : undefined;
}
