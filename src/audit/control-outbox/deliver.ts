/** Delivery of what waits in the control outbox: at least once, idempotent, as a guard's outbox. */

import { runBatch } from "../../db/client.ts";
import { controlDb, databaseAt } from "../../db/shards.ts";
import { runJob } from "../../job.ts";
import { insertEvents } from "../store.ts";
import { listWaitingTenants, listWaiting, removeWaiting } from "./store.ts";

/** What is left waits for the next run. */
const maxTenantsPerRun = 200;
const maxPerTenant = 2_000;
/** Ids that one statement may name, beside the tenant. */
const maxPerStatement = 99;

async function deliverTenantEvents(env: Env, tenantId: string): Promise<void> {
  const control = controlDb(env);
  const deliver = async () => {
    const waiting = await listWaiting(control, tenantId, maxPerTenant);
    for (let from = 0; from < waiting.length; from += maxPerStatement) {
      const some = waiting.slice(from, from + maxPerStatement);
      const events = some.map(({ event }) => event);
      const db = databaseAt(env, some[0]?.shard ?? 0);
      await runBatch(db, [insertEvents(db, tenantId, events)]);
      await removeWaiting(
        control,
        tenantId,
        events.map(({ id }) => id),
      );
    }
  };
  await runJob("control_events_not_delivered", deliver, { tenant_id: tenantId });
}

/**
 * Never throws: what cannot be delivered, because the database fails or the tenant is moving, is
 * delivered by the next run, and keeps nothing of other tenants waiting.
 * @param tenantId one tenant's only, where given
 */
export async function deliverControlEvents(env: Env, tenantId?: string): Promise<void> {
  if (tenantId !== undefined) return await deliverTenantEvents(env, tenantId);
  await runJob("control_events_not_delivered", async () => {
    const owners = await listWaitingTenants(controlDb(env), maxTenantsPerRun);
    for (const owner of owners) await deliverTenantEvents(env, owner);
  });
}
