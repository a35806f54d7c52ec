/** Disables a webhook whose receiver is gone or has failed for days, with an event in the tenant's trail. */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent } from "../audit/event.ts";
import { stampEvents } from "../audit/stamp.ts";
import { deliveryTimeoutMs, StaleReadError } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { requireConfig } from "../env.ts";
import { requireMatchingKeys } from "../keys/key-check.ts";
import { log } from "../log.ts";
import { invalidateTenant } from "../tenancy/token-cache.ts";
import type { FollowerState } from "./advance.ts";
import type { StoredDestination } from "./destination.ts";
import { replaceDestination } from "./store.ts";

/**
 * Files that the destination is disabled. Repeated, it files nothing more: the event has the same id, and the row
 * is as this has left it.
 * @returns false if the tenant has changed the destination meanwhile, so that the next run reads it again
 * @throws StoreError
 */
export async function disableDestination(
  env: Env,
  read: StoredDestination,
  { reason, at }: NonNullable<FollowerState["disabling"]>,
): Promise<boolean> {
  if (read.status === "disabled") return true;
  const { tenantId, id, kind } = read;
  const config = requireConfig(env);
  await requireMatchingKeys(env, config, at);
  const db = controlDbOf(env);
  const disabled = { ...read, status: "disabled", disabledReason: reason } as const;
  const event = createTenantEvent(
    tenantId,
    { now: at, actor: { type: "system", id: null }, requestId: id },
    { type: kind, id },
    { action: "webhook.disabled", outcome: "success", reason },
  );
  const events = await stampEvents(config.auditSigningKeys, [{ ...event, requestId: null }]);
  try {
    await changeWithEvents(env, { tenantId }, events, replaceDestination(db, read, disabled), {
      timeoutMs: deliveryTimeoutMs,
    });
  } catch (error) {
    if (error instanceof StaleReadError) return false;
    throw error;
  } finally {
    invalidateTenant(tenantId);
  }
  log("warn", "webhook_disabled", { tenant_id: tenantId, code: reason });
  return true;
}
