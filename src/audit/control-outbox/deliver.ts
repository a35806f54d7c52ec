/**
 * Delivers the events in the control outbox: at least once and idempotently, as a guard's outbox does.
 */

import { refuseIfLate, runBatch } from "../../db/client.ts";
import { controlDbOf, databaseOf } from "../../db/shards.ts";
import { runJob } from "../../job.ts";
import { insertEvents } from "../store.ts";
import { deleteWaitingEvents, listWaitingEvents, listWaitingTenants } from "./store.ts";

/** Further events wait for the next run. */
const maxTenantsPerRun = 200;
const maxEventsPerTenant = 2_000;
/** D1 binds at most 100 parameters; one is the tenant id. */
const maxEventsPerStatement = 99;

async function deliverTenantEvents(env: Env, tenantId: string): Promise<void> {
  const control = controlDbOf(env);
  const deliver = async () => {
    const waiting = await listWaitingEvents(control, tenantId, maxEventsPerTenant);
    for (let from = 0; from < waiting.length; from += maxEventsPerStatement) {
      const some = waiting.slice(from, from + maxEventsPerStatement);
      const events = some.map(({ event }) => event);
      const db = databaseOf(env, some[0]?.shard ?? 0);
      await runBatch(db, [insertEvents(db, tenantId, events), refuseIfLate(db, Date.now())]);
      await deleteWaitingEvents(
        control,
        tenantId,
        events.map(({ id }) => id),
      );
    }
  };
  await runJob("control_events_not_delivered", deliver, { tenant_id: tenantId });
}

/**
 * Delivers the waiting events. Never throws: if a database fails or a tenant is moving, the next run delivers
 * its events, and the events of other tenants are delivered now.
 * @param tenantId limits the run to this tenant
 */
export async function deliverControlEvents(env: Env, tenantId?: string): Promise<void> {
  if (tenantId !== undefined) return await deliverTenantEvents(env, tenantId);
  await runJob("control_events_not_delivered", async () => {
    const owners = await listWaitingTenants(controlDbOf(env), maxTenantsPerRun);
    for (const owner of owners) await deliverTenantEvents(env, owner);
  });
}
