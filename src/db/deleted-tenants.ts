/** Whether a tenant is deleted, for objects that still have something of it. */
import { awaitStore, deliveryTimeoutMs } from "./client.ts";
import { databaseOf, shardOf } from "./shards.ts";
import { isDeletedHere, oneRow } from "./tenant-fence.ts";

/** Whether the tenant's database refuses its data because the tenant is deleted. @throws StoreError */
export async function isDeletedTenant(env: Env, tenantId: string): Promise<boolean> {
  const db = databaseOf(env, await shardOf(env, tenantId, deliveryTimeoutMs));
  const isDeleted = isDeletedHere(tenantId);
  const rows = await awaitStore(db.select({ isDeleted }).from(oneRow), deliveryTimeoutMs);
  return rows.some((row) => row.isDeleted === 1);
}
