/**
 * After a relocation the old database still has the tenant's rows, until they are deleted, at least a minute
 * later.
 */
import { controlDbOf, databaseOf, hasShard, isSharded } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import { deleteRecord } from "../identity/store.ts";
import { deleteAssessments } from "../sentinel/assessments/store.ts";
import { findLeftoverShard } from "./store.ts";

/** Deletes an erased identity's rows from the database that its tenant has left. @throws StoreError */
export async function deleteLeftovers(
  env: Env,
  tenantId: string,
  identityId: string,
): Promise<void> {
  if (!isSharded(env)) return;
  const shard = await findLeftoverShard(controlDbOf(env), tenantId);
  // A database that is not bound any more can neither be read nor written; an erasure must not wait for it.
  if (shard === undefined || !hasShard(env, shard)) return;
  const db = databaseOf(env, shard);
  await runEssentialTenantBatch(db, [
    deleteRecord(db, tenantId, identityId),
    deleteAssessments(db, tenantId, identityId),
  ]);
}
