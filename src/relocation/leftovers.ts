/** The database that a tenant has just left has its rows for a minute yet, and for longer where it fails. */
import { runBatch } from "../db/client.ts";
import { controlDb, databaseAt, isSharded } from "../db/shards.ts";
import { deleteRecord } from "../identity/store.ts";
import { deleteAssessments } from "../sentinel/assessments/store.ts";
import { findLeftoverShard } from "./store.ts";

/** Forgets a person there too. @throws StoreError */
export async function deleteLeftovers(
  env: Env,
  tenantId: string,
  identityId: string,
): Promise<void> {
  if (!isSharded(env)) return;
  const shard = await findLeftoverShard(controlDb(env), tenantId);
  if (shard === undefined) return;
  const db = databaseAt(env, shard);
  await runBatch(db, [
    deleteRecord(db, tenantId, identityId),
    deleteAssessments(db, tenantId, identityId),
  ]);
}
