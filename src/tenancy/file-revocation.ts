/** Writes a revocation that the token register keeps to D1, together with its audit event. */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { requestTimeoutMs } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import { AppError } from "../errors.ts";
import { requireUnrevokedToken } from "./token-condition-store.ts";
import type { Revocation } from "./token-end.ts";
import { markRevoked } from "./token-store.ts";

/**
 * Files a revocation, once however often this runs: D1 then has it already.
 * @returns whether this call filed it
 * @throws StoreError
 */
export async function fileRevocation(
  env: Env,
  revocation: Revocation,
  timeoutMs = requestTimeoutMs,
): Promise<boolean> {
  const { tenantId, id, at, events } = revocation;
  const db = controlDbOf(env);
  try {
    const change = [requireUnrevokedToken(db, tenantId, id), markRevoked(db, revocation, at, true)];
    await changeWithEvents(env, { tenantId }, events, change, {
      run: runEssentialTenantBatch,
      timeoutMs,
    });
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return false;
    throw error;
  }
}
