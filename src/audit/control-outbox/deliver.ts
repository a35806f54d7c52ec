/** Delivery of what waits in the control outbox: at least once, idempotent, as a guard's outbox. */

import { runBatch } from "../../db/client.ts";
import { controlDb, databaseAt } from "../../db/shards.ts";
import { causeOf, log } from "../../log.ts";
import { insertEvents } from "../store.ts";
import { listOwners, listWaiting, removeWaiting } from "./store.ts";

/** What is left waits for the next run. */
const mostTenantsPerRun = 200;
const mostPerTenant = 2_000;
/** Ids that one statement may name, beside the tenant. */
const mostPerStatement = 99;

function notDelivered(error: unknown, tenantId?: string): void {
  log("error", "control_events_not_delivered", {
    cause: causeOf(error),
    ...(tenantId === undefined ? {} : { tenant_id: tenantId }),
  });
}

async function deliverThoseOf(env: Env, tenantId: string): Promise<void> {
  const control = controlDb(env);
  try {
    const waiting = await listWaiting(control, tenantId, mostPerTenant);
    for (let from = 0; from < waiting.length; from += mostPerStatement) {
      const some = waiting.slice(from, from + mostPerStatement);
      const events = some.map(({ event }) => event);
      const db = databaseAt(env, some[0]?.shard ?? 0);
      await runBatch(db, [insertEvents(db, tenantId, events)]);
      await removeWaiting(
        control,
        tenantId,
        events.map(({ id }) => id),
      );
    }
  } catch (error) {
    notDelivered(error, tenantId);
  }
}

/**
 * Never throws: what cannot be delivered, because the database fails or the tenant is moving, is
 * delivered by the next run, and keeps nothing of other tenants waiting.
 * @param tenantId one tenant's only, where given
 */
export async function deliverControlEvents(env: Env, tenantId?: string): Promise<void> {
  if (tenantId !== undefined) return await deliverThoseOf(env, tenantId);
  try {
    const owners = await listOwners(controlDb(env), mostTenantsPerRun);
    for (const owner of owners) await deliverThoseOf(env, owner);
  } catch (error) {
    notDelivered(error);
  }
}
