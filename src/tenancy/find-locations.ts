/** Where tenants' objects are, for who has no caller that says so. */
import type { Database } from "../db/client.ts";
import type { Location } from "../location.ts";
import { policyOf } from "./settings.ts";
import { listLocations } from "./store.ts";

/** By tenant id; a tenant that is not there has none. @throws StoreError */
export async function findLocations(
  db: Database,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, Location>> {
  const rows = await listLocations(db, [...new Set(tenantIds)]);
  return new Map(
    rows.map(({ id, jurisdiction, settings }) => [
      id,
      { jurisdiction, hint: policyOf(settings).location.hint },
    ]),
  );
}
