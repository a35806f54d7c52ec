/** Finds the jurisdictions of tenants, by which their Durable Objects are found. */
import { inArray, sql } from "drizzle-orm";
import type { Jurisdiction } from "../location.ts";
import { awaitStore, type Database } from "./client.ts";
import { tenants } from "./tables.ts";

/** By tenant id; an unknown tenant is left out. @throws StoreError */
export async function findJurisdictions(
  control: Database,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, Jurisdiction | null>> {
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`;
  const rows = await awaitStore(
    control
      .select({ id: tenants.id, jurisdiction: tenants.jurisdiction })
      .from(tenants)
      .where(inArray(tenants.id, ids)),
  );
  return new Map(rows.map(({ id, jurisdiction }) => [id, jurisdiction]));
}
