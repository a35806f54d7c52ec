/** Delivery of what waits in the control outbox: at least once, idempotent, as a guard's outbox. */
import { insertEvents } from "../audit/store.ts";
import { runBatch } from "../db/client.ts";
import { controlDb, databaseAt } from "../db/shards.ts";
import { causeOf, log } from "../log.ts";
import { listWaiting, removeWaiting } from "./store.ts";

/** What is left waits for the next run. */
const mostPerRun = 2_000;
/** Ids that one statement may name, beside the tenant. */
const mostPerStatement = 99;

/**
 * Never throws: what cannot be delivered, because the database fails or the tenant is moving, is
 * delivered by the next run.
 * @param tenantId one tenant's only, where given
 */
export async function deliverControlEvents(env: Env, tenantId?: string): Promise<void> {
  const failed = (error: unknown, tenant_id?: string) =>
    log("error", "control_events_not_delivered", {
      cause: causeOf(error),
      ...(tenant_id === undefined ? {} : { tenant_id }),
    });
  const control = controlDb(env);
  try {
    const waiting = await listWaiting(control, tenantId, mostPerRun);
    const byTenant = Map.groupBy(waiting, (one) => one.tenantId);
    for (const [owner, ofOwner] of byTenant) {
      try {
        for (let from = 0; from < ofOwner.length; from += mostPerStatement) {
          const some = ofOwner.slice(from, from + mostPerStatement);
          const events = some.map(({ event }) => event);
          const db = databaseAt(env, some[0]?.shard ?? 0);
          await runBatch(db, [insertEvents(db, owner, events)]);
          await removeWaiting(
            control,
            owner,
            events.map(({ id }) => id),
          );
        }
      } catch (error) {
        failed(error, owner);
      }
    }
  } catch (error) {
    failed(error);
  }
}
