/** Finds how long tenants keep audit events in D1 before they move to the archive. */
import { controlDbOf } from "../db/shards.ts";
import { defaultPolicy } from "./policy.ts";
import { listRetentionDays } from "./tenant-store.ts";

/** In days, by tenant id; an unknown tenant has the default. @throws StoreError */
export async function findRetentionDays(
  env: Env,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { retentionDays } = defaultPolicy.audit;
  const stored = await listRetentionDays(controlDbOf(env), tenantIds, retentionDays);
  return new Map(tenantIds.map((tenantId) => [tenantId, stored.get(tenantId) ?? retentionDays]));
}
