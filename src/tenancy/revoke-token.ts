/**
 * Revokes an API token. The tenant's token register decides: from then on every isolate refuses the token
 * within 30 s, whatever D1 does. The register also keeps the audit event until D1 has it. Without the register,
 * D1 decides, except on a token with `tokens:write` that revokes itself.
 */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { type AuditEvent, createTenantEvent, type StampedEvent } from "../audit/event.ts";
import { stampEvents } from "../audit/stamp.ts";
import { type Database, FullDatabaseError } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import { AppError } from "../errors.ts";
import { runJob } from "../job.ts";
import { causeOf, log } from "../log.ts";
import type { TokenCall } from "./change-tokens.ts";
import { fileRevocation } from "./file-revocation.ts";
import { findRevocable, type Revocable } from "./revocation-store.ts";
import { stampTenantEvents } from "./tenant-audit-key.ts";
import { invalidateTenant } from "./token-cache.ts";
import { requireUnrevokedToken, requireValidToken } from "./token-condition-store.ts";
import type { Revocation, RevokingToken } from "./token-end.ts";
import { confirmRevocation, registerRevocation } from "./token-register-client.ts";
import { deleteToken, markRevoked } from "./token-store.ts";

/** @throws AppError `invalid_token`, `tenant_suspended` */
function revokingTokenOf(
  { caller, now }: TokenCall,
  { callerHash, isTenantActive, isWriter }: Revocable,
): RevokingToken | null {
  if (caller === undefined) return null;
  if (callerHash === null) throw new AppError("invalid_token");
  if (!isTenantActive) throw new AppError("tenant_suspended");
  return { hash: callerHash, expiresAt: caller.expiresAt, needsOtherWriter: isWriter, now };
}

/**
 * Revokes a token of a tenant. Only the operator may revoke the last one with `tokens:write`.
 * @throws AppError `not_found` for a token that does not exist or is revoked; `invalid_token`,
 *   `tenant_suspended`, `last_token`; StoreError
 */
export async function revokeToken(call: TokenCall, tenantId: string, id: string): Promise<void> {
  const { env } = call;
  const db = controlDbOf(env);
  const found = await findRevocable(db, tenantId, id, call.caller, call.now);
  const revokingToken = revokingTokenOf(call, found);
  const { hash } = found;
  if (hash === null) throw new AppError("not_found");
  const target = { type: "api_token", id } as const;
  const event = createTenantEvent(tenantId, call, target, {
    action: "token.revoked",
    outcome: "success",
  });
  const events = await stampInAnyCase(call, event);
  const revocation = { tenantId, id, hash, at: call.arrivedAt, events };
  try {
    const registered = await registerRevocation(env, revokingToken, revocation);
    if (registered === undefined) {
      // D1 alone does not know whether another token remains. One that revokes another is valid itself.
      const revokesItself = id === call.caller?.tokenId;
      if (revokesItself && found.isWriter) throw new AppError("unavailable");
      await revokeInD1(call, db, revocation);
    } else if (registered.kept !== null) await fileRegistered(env, db, registered.kept);
    else throw new AppError(registered.refusal ?? "unavailable");
  } finally {
    // This is done after an error too, because the token may have ended.
    invalidateTenant(tenantId);
  }
}

/**
 * Stamps the event, without the person on whose behalf the caller acts if that cannot be sealed: a token can be
 * revoked also while D1 takes no new key. @throws AppError `invalid_token`
 */
async function stampInAnyCase(call: TokenCall, event: AuditEvent): Promise<StampedEvent[]> {
  const { tenantId } = event;
  try {
    return await stampTenantEvents(call, tenantId, [event]);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const fields = { request_id: call.requestId, tenant_id: tenantId, cause: causeOf(error) };
    log("error", "acting_for_not_recorded", fields);
    return await stampEvents(call.config.auditSigningKeys, [event]);
  }
}

/** @throws AppError `not_found` if another request has revoked the token; StoreError */
async function fileRegistered(env: Env, db: Database, revocation: Revocation): Promise<void> {
  try {
    const isFiled = await fileRevocation(env, revocation);
    await confirmRevocation(env, revocation);
    if (!isFiled) throw new AppError("not_found");
  } catch (error) {
    if (!(error instanceof FullDatabaseError)) throw error;
    // Without its row the token creates nothing, even when D1 takes writes again before the alarm fires.
    await runJob("revoked_token_not_deleted", () => deleteToken(db, revocation), {
      tenant_id: revocation.tenantId,
    });
  }
}

/** For a register that does not answer. The job of the next minute sends it the end. */
async function revokeInD1(call: TokenCall, db: Database, revocation: Revocation): Promise<void> {
  const { tenantId, id, at, events } = revocation;
  const change = [
    ...(call.caller === undefined ? [] : [requireValidToken(db, call.caller, call.now)]),
    requireUnrevokedToken(db, tenantId, id),
    markRevoked(db, revocation, at, false),
  ];
  await changeWithEvents(call.env, { tenantId }, events, change, {
    run: runEssentialTenantBatch,
  });
}
