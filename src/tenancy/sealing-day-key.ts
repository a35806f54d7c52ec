/**
 * The day key for sealing now. An isolate keeps it for the rest of the day, so a tenant's object is called once a day
 * by each isolate. The day is that of the real clock, which this file's callers read: a test clock would put the parts
 * of an event under a day that expires at another time.
 */
import { findOrCreateDayKey } from "../audit/personal-keys/client.ts";
import { type DayKey, dayOf } from "../audit/personal-keys/day.ts";
import { BoundedMap } from "../bounded-map.ts";
import { FencedTenantError, StoreError } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import type { Location } from "../location.ts";
import { findLocations } from "./find-locations.ts";

/** About 1 MB. */
const maxTenants = 5_000;

/** Data, never promises. Of a tenant only the newest day. */
const newest = new BoundedMap<string, DayKey>({ maxEntries: maxTenants });

interface SealingTenant {
  readonly tenantId: string;
  /** Looked up if it is not known. */
  readonly location?: Location | undefined;
}

/** @throws FencedTenantError for an unknown tenant: no database accepts its data */
async function lookUpLocation(env: Env, tenantId: string): Promise<Location> {
  const location = (await findLocations(controlDbOf(env), [tenantId])).get(tenantId);
  if (location === undefined) throw new FencedTenantError(new Error("The tenant is unknown"));
  return location;
}

/**
 * @param now real time, Unix ms
 * @throws StoreError if the object does not answer; nothing may be sealed without it
 */
export async function findSealingDayKey(
  env: Env,
  { tenantId, location }: SealingTenant,
  now: number,
): Promise<DayKey> {
  const day = dayOf(now);
  const known = newest.get(tenantId);
  if (known?.day === day) return known;
  const owner = { tenantId, location: location ?? (await lookUpLocation(env, tenantId)) };
  const key = await findOrCreateDayKey(env, owner, day);
  if (key === undefined) throw new StoreError(new Error(`The key of day ${day} was deleted`));
  const dayKey = { day, key };
  newest.set(tenantId, dayKey);
  return dayKey;
}
