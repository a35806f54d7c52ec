/**
 * Creates and rotates a tenant's API tokens. Each change is one batch, which writes nothing unless the
 * caller's token is valid when it runs. revoke-token.ts revokes them.
 */

import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { createId } from "../crypto/id.ts";
import { controlDbOf } from "../db/shards.ts";
import { AppError } from "../errors.ts";
import { type RunOnceCall, runOnce } from "../idempotency/run-once.ts";
import { createApiToken, hashApiToken, type Mode } from "./api-token.ts";
import type { TenantCaller } from "./caller.ts";
import type { Permission } from "./permission.ts";
import { stampTenantEvents } from "./tenant-audit-key.ts";
import { invalidateTenant } from "./token-cache.ts";
import {
  requireActiveToken,
  requireTokenRoom,
  requireValidToken,
} from "./token-condition-store.ts";
import { registerTokenEnds } from "./token-register-client.ts";
import { type ApiToken, findToken, insertToken, setTokenEnd } from "./token-store.ts";

/** The last instant that RFC 3339 can write. */
const latestExpiry = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export interface TokenCall extends RunOnceCall {
  readonly env: Env;
  readonly caller: Pick<TenantCaller, "tenantId" | "tokenId" | "mode" | "expiresAt">;
  readonly actor: RequestActor;
}

/** A token together with its secret, which is shown once and never stored. */
export interface IssuedToken extends ApiToken {
  readonly secret: string;
}

export function issueToken(
  tenant: { readonly id: string; readonly mode: Mode },
  wanted: {
    readonly name: string;
    readonly permissions: readonly Permission[];
    /** Null: unlimited. */
    readonly lifetimeMs: number | null;
  },
  now: number,
): { readonly issued: IssuedToken; readonly stored: ApiToken & { readonly hash: string } } {
  const secret = createApiToken(tenant.mode, tenant.id);
  const token: ApiToken = {
    id: createId(now),
    tenantId: tenant.id,
    name: wanted.name,
    permissions: wanted.permissions,
    createdAt: now,
    expiresAt: wanted.lifetimeMs === null ? null : Math.min(now + wanted.lifetimeMs, latestExpiry),
    lifetimeMs: wanted.lifetimeMs,
    lastUsedAt: null,
  };
  return { issued: { ...token, secret }, stored: { ...token, hash: hashApiToken(secret) } };
}

function issuerOf({ caller }: TokenCall) {
  return { id: caller.tenantId, mode: caller.mode };
}

/** @throws AppError `invalid_token`, `too_many` */
export async function createToken(
  call: TokenCall,
  wanted: Parameters<typeof issueToken>[1],
): Promise<IssuedToken> {
  const { tenantId } = call.caller;
  const db = controlDbOf(call.env);
  return await runOnce(call, tenantId, db, async (keepAnswer) => {
    const { issued, stored } = issueToken(issuerOf(call), wanted, call.now);
    const target = { type: "api_token", id: issued.id } as const;
    const event = createTenantEvent(tenantId, call, target, {
      action: "token.created",
      outcome: "success",
      details: { permissions: wanted.permissions.join(" ") },
    });
    const events = await stampTenantEvents(call, tenantId, [event]);
    await changeWithEvents(call.env, { tenantId }, events, [
      requireValidToken(db, call.caller, call.now),
      // Before the other conditions: a repeated request gets the first answer, also if they no longer hold.
      ...(await keepAnswer(issued)),
      requireTokenRoom(db, tenantId, call.now),
      insertToken(db, stored),
    ]);
    return issued;
  });
}

/**
 * Creates a token with the name, permissions and lifetime of an old one. The old token remains valid for the
 * overlap.
 * @throws AppError `invalid_token`; `not_found` if the old token has ended; `too_many`
 */
export async function rotateToken(
  call: TokenCall,
  id: string,
  overlapSeconds: number,
): Promise<IssuedToken> {
  const { tenantId } = call.caller;
  const db = controlDbOf(call.env);
  return await runOnce(call, tenantId, db, async (keepAnswer) => {
    const old = await findToken(db, tenantId, id);
    if (old === undefined) throw new AppError("not_found");
    const { issued, stored } = issueToken(issuerOf(call), old, call.now);
    const target = { type: "api_token", id } as const;
    const event = createTenantEvent(tenantId, call, target, {
      action: "token.rotated",
      outcome: "success",
      details: { replaced_by: issued.id, overlap_seconds: overlapSeconds },
    });
    const events = await stampTenantEvents(call, tenantId, [event]);
    const end = call.now + overlapSeconds * 1000;
    try {
      await changeWithEvents(call.env, { tenantId }, events, [
        requireValidToken(db, call.caller, call.now),
        ...(await keepAnswer(issued)),
        requireActiveToken(db, tenantId, id, call.now),
        requireTokenRoom(db, tenantId, call.now, id),
        insertToken(db, stored),
        setTokenEnd(db, tenantId, id, end),
      ]);
    } finally {
      // This is done after an error too, because the change may have been applied.
      invalidateTenant(tenantId);
    }
    await registerTokenEnds(call.env, db, tenantId);
    return issued;
  });
}
