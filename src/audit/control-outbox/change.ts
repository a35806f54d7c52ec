/**
 * A change of the control plane, and the audit events that tell of it, together or not at all. Where the
 * tenant lives in `DB` too, the events are filed in the same batch; else they wait beside the change,
 * in the same batch, and are delivered right after it.
 */

import { FencedTenantError, runBatch, type Statement } from "../../db/client.ts";
import { controlDb, invalidateShard, shardOf } from "../../db/shards.ts";
import type { StampedEvent } from "../stamp.ts";
import { insertEvents } from "../store.ts";
import { deliverControlEvents } from "./deliver.ts";
import { enqueueEvents } from "./store.ts";

/**
 * @param shard where the tenant will live, for one that is being made
 * @throws StoreError; then it was done with its events, or not at all
 */
export async function changeWithEvents(
  env: Env,
  owner: { readonly tenantId: string; readonly shard?: number },
  events: readonly StampedEvent[],
  change: readonly Statement[],
): Promise<void> {
  const { tenantId } = owner;
  const db = controlDb(env);
  const shard = owner.shard ?? (await shardOf(env, tenantId));
  if (shard === 0) {
    try {
      await runBatch(db, [...change, insertEvents(db, tenantId, events)]);
      return;
    } catch (error) {
      // The tenant is leaving or has left: of the batch nothing has happened.
      if (!(error instanceof FencedTenantError)) throw error;
      invalidateShard(tenantId);
    }
  }
  await runBatch(db, [...change, ...enqueueEvents(db, tenantId, events)]);
  await deliverControlEvents(env, tenantId);
}
