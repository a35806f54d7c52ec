/** Reserves the request key of a change that a guard decides. */
import { controlDbOf } from "../db/shards.ts";
import { claimRequestKey, type RunOnceCall } from "../idempotency/run-once.ts";
import type { TenantCaller } from "./caller.ts";
import { requireValidToken } from "./token-condition-store.ts";

/**
 * Reserves the key throughout the tenant, if the caller's token is valid at that moment.
 * @throws AppError `idempotency_mismatch`, `invalid_token`, `tenant_suspended`; StoreError
 */
export async function claimTenantRequestKey(
  call: RunOnceCall & { readonly env: Env; readonly caller: TenantCaller },
): Promise<void> {
  const { env, caller, now } = call;
  const db = controlDbOf(env);
  await claimRequestKey(call, caller.tenantId, db, requireValidToken(db, caller, now));
}
