/**
 * After a relocation the old database still has the tenant's rows, until they are deleted, at least a minute
 * later.
 */
import { deliveryTimeoutMs } from "../db/client.ts";
import { controlDbOf, databaseOf, hasShard, isSharded } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import { type OwnedClaim, releaseClaims } from "../identity/passkey-claim-store.ts";
import { type DeliveredIdentity, deleteLeftRecord } from "../identity/store.ts";
import { deleteLeftAssessments } from "../sentinel/assessments/store.ts";
import { findLeftoverShard } from "./store.ts";

/**
 * Deletes an erased identity's rows from the database that its tenant has left. If D1 does so late, after the
 * tenant has come back, nothing is deleted.
 * @param claims those of its passkeys
 * @throws StoreError
 */
export async function deleteLeftovers(
  env: Env,
  erased: DeliveredIdentity,
  claims: readonly OwnedClaim[],
): Promise<void> {
  if (!isSharded(env)) return;
  const shard = await findLeftoverShard(controlDbOf(env), erased.tenantId, deliveryTimeoutMs);
  // A database that is not bound any more can neither be read nor written; an erasure must not wait for it.
  if (shard === undefined || !hasShard(env, shard)) return;
  const db = databaseOf(env, shard);
  await runEssentialTenantBatch(
    db,
    [deleteLeftAssessments(db, erased), deleteLeftRecord(db, erased), releaseClaims(db, claims)],
    deliveryTimeoutMs,
  );
}
