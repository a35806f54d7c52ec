/** The database that a tenant has just left has its rows for a minute yet, and for longer where it fails. */
import { runBatch } from "../db/client.ts";
import { controlDb, databaseAt, isSharded } from "../db/shards.ts";
import { forgetRecord } from "../identity/store.ts";
import { forgetAssessments } from "../sentinel/assessments/store.ts";
import { findLeftBehind } from "./store.ts";

/** Forgets a person there too. @throws StoreError */
export async function forgetLeftBehind(
  env: Env,
  tenantId: string,
  identityId: string,
): Promise<void> {
  if (!isSharded(env)) return;
  const shard = await findLeftBehind(controlDb(env), tenantId);
  if (shard === undefined) return;
  const db = databaseAt(env, shard);
  await runBatch(db, [
    forgetRecord(db, tenantId, identityId),
    forgetAssessments(db, tenantId, identityId),
  ]);
}
