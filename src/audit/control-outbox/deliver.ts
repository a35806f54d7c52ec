/** Delivery of what waits in the control outbox: at least once, idempotent, as a guard's outbox. */

import { runBatch } from "../../db/client.ts";
import { controlDb, databaseAt } from "../../db/shards.ts";
import { causeOf, log } from "../../log.ts";
import { insertEvents } from "../store.ts";
import { listWaitingTenants, listWaitingEvents, deleteWaitingEvents } from "./store.ts";

/** What is left waits for the next run. */
const maxTenantsPerRun = 200;
const maxPerTenant = 2_000;
/** Ids that one statement may name, beside the tenant. */
const maxPerStatement = 99;

function logFailure(error: unknown, tenantId?: string): void {
  log("error", "control_events_not_delivered", {
    cause: causeOf(error),
    ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
  });
}

async function deliverTenantEvents(env: Env, tenantId: string): Promise<void> {
  const control = controlDb(env);
  try {
    const waiting = await listWaitingEvents(control, tenantId, maxPerTenant);
    for (let from = 0; from < waiting.length; from += maxPerStatement) {
      const some = waiting.slice(from, from + maxPerStatement);
      const events = some.map(({ event }) => event);
      const db = databaseAt(env, some[0]?.shard ?? 0);
      await runBatch(db, [insertEvents(db, tenantId, events)]);
      await deleteWaitingEvents(
        control,
        tenantId,
        events.map(({ id }) => id),
      );
    }
  } catch (error) {
    logFailure(error, tenantId);
  }
}

/**
 * Never throws: what cannot be delivered, because the database fails or the tenant is moving, is
 * delivered by the next run, and keeps nothing of other tenants waiting.
 * @param tenantId one tenant's only, where given
 */
export async function deliverControlEvents(env: Env, tenantId?: string): Promise<void> {
  if (tenantId !== undefined) return await deliverTenantEvents(env, tenantId);
  try {
    const owners = await listWaitingTenants(controlDb(env), maxTenantsPerRun);
    for (const owner of owners) await deliverTenantEvents(env, owner);
  } catch (error) {
    logFailure(error);
  }
}
