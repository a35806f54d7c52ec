/** Finds the locations of tenants' objects, for work that no request of the tenant begins. */
import { type Database, StoreError } from "../db/client.ts";
import type { Location } from "../location.ts";
import { policyOf } from "./settings.ts";
import { listLocations, type Tenant } from "./tenant-store.ts";

/** The location of a tenant's objects. */
export function locationOf({
  jurisdiction,
  settings,
}: Pick<Tenant, "jurisdiction" | "settings">): Location {
  return { jurisdiction, hint: policyOf(settings).location.hint };
}

/** By tenant id; an unknown tenant is left out. @throws StoreError */
export async function findLocations(
  db: Database,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, Location>> {
  const rows = await listLocations(db, [...new Set(tenantIds)]);
  return new Map(rows.map((tenant) => [tenant.id, locationOf(tenant)]));
}

/** @throws StoreError, also if the tenant is unknown: without its location none of its objects may be called */
export async function getLocation(db: Database, tenantId: string): Promise<Location> {
  const location = (await findLocations(db, [tenantId])).get(tenantId);
  if (location === undefined) throw new StoreError(new Error("The tenant is unknown"));
  return location;
}
