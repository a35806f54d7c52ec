/**
 * Applies a change to the control plane and the events that report it: both or neither. If the tenant's data is
 * in `DB` too, the same batch files the events. Otherwise the batch puts them into the control outbox, and they
 * are delivered right after it.
 */
import { FencedTenantError, requestTimeoutMs, runBatch, type Statement } from "../../db/client.ts";
import { controlDbOf, invalidateShard, shardOf } from "../../db/shards.ts";
import type { StampedEvent } from "../event.ts";
import { insertEvents } from "../store.ts";
import { deliverControlEvents } from "./deliver.ts";
import { enqueueEvents } from "./store.ts";

/**
 * @param how.run `runEssentialTenantBatch` for a change that a full database must accept too
 * @throws StoreError; the change and its events may both have been applied, or neither
 */
export async function changeWithEvents(
  env: Env,
  owner: {
    readonly tenantId: string;
    /** Set for a tenant that the change creates. */
    readonly shard?: number;
  },
  events: readonly StampedEvent[],
  change: readonly Statement[],
  { run = runBatch, timeoutMs = requestTimeoutMs } = {},
): Promise<void> {
  const { tenantId } = owner;
  const db = controlDbOf(env);
  const shard = owner.shard ?? (await shardOf(env, tenantId, timeoutMs));
  if (shard === 0) {
    try {
      await run(db, [...change, insertEvents(db, tenantId, events)], timeoutMs);
      return;
    } catch (error) {
      // The tenant is leaving or has left `DB`; nothing of the batch was applied.
      if (!(error instanceof FencedTenantError)) throw error;
      invalidateShard(tenantId);
    }
  }
  await run(db, [...change, ...enqueueEvents(db, tenantId, events)], timeoutMs);
  await deliverControlEvents(env, tenantId);
}
