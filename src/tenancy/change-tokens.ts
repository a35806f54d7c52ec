/**
 * Creates and rotates a tenant's API tokens. Each change is one batch, which writes nothing unless the
 * caller's token is valid when it runs, or the operator's tenant is not being deleted. revoke-token.ts revokes
 * them.
 */

import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { createId } from "../crypto/id.ts";
import type { Database, Statement } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { operatorScope, type RunOnceCall, runOnce } from "../idempotency/run-once.ts";
import { createApiToken, hashApiToken, type Mode } from "./api-token.ts";
import type { TenantCaller } from "./caller.ts";
import type { Permission } from "./permission.ts";
import { stampTenantEvents } from "./tenant-audit-key.ts";
import { requireLastingTenant } from "./tenant-condition-store.ts";
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
  /** Undefined: the operator. */
  readonly caller:
    | Pick<TenantCaller, "tenantId" | "tokenId" | "expiresAt" | "location">
    | undefined;
  readonly actor: RequestActor;
}

/** A token together with its secret, which is shown once and never stored. */
export interface IssuedToken extends ApiToken {
  readonly secret: string;
}

/** The tenant that gets a token. */
export interface Issuer {
  readonly id: string;
  readonly mode: Mode;
}

export async function issueToken(
  tenant: Issuer,
  wanted: {
    readonly name: string;
    readonly permissions: readonly Permission[];
    /** Null: unlimited. */
    readonly lifetimeMs: number | null;
  },
  now: number,
): Promise<{
  readonly issued: IssuedToken;
  readonly stored: ApiToken & { readonly hash: string };
}> {
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
  return { issued: { ...token, secret }, stored: { ...token, hash: await hashApiToken(secret) } };
}

function requireAllowed({ caller, now }: TokenCall, db: Database, tenantId: string): Statement {
  return caller === undefined
    ? requireLastingTenant(db, tenantId)
    : requireValidToken(db, caller, now);
}

/**
 * @throws AppError `invalid_token`, `tenant_suspended`, `too_many`; for the operator `not_found`,
 *   `tenant_deleting`, `too_many`
 */
export async function createToken(
  call: TokenCall,
  tenant: Issuer,
  wanted: Parameters<typeof issueToken>[1],
): Promise<IssuedToken> {
  const tenantId = tenant.id;
  const db = controlDbOf(call.env);
  const scope = call.caller === undefined ? operatorScope : tenantId;
  return await runOnce(call, scope, db, async (keepAnswer) => {
    const { issued, stored } = await issueToken(tenant, wanted, call.now);
    const target = { type: "api_token", id: issued.id } as const;
    const event = createTenantEvent(tenantId, call, target, {
      action: "token.created",
      outcome: "success",
      details: { name: wanted.name, permissions: wanted.permissions.join(" ") },
    });
    const events = await stampTenantEvents(call, tenantId, [event]);
    await changeWithEvents(call.env, { tenantId }, events, [
      requireAllowed(call, db, tenantId),
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
 * @throws AppError `invalid_token`, `tenant_suspended`; `not_found` if the old token has ended; `too_many`;
 *   `invalid_request` if the token has `tokens:write` and its successor has expired already, which a test clock
 *   can cause
 */
export async function rotateToken(
  call: TokenCall,
  tenant: Issuer,
  id: string,
  overlapSeconds: number,
): Promise<IssuedToken> {
  const tenantId = tenant.id;
  const db = controlDbOf(call.env);
  return await runOnce(call, tenantId, db, async (keepAnswer) => {
    const old = await findToken(db, tenantId, id);
    if (old === undefined) throw new AppError("not_found");
    const { issued, stored } = await issueToken(tenant, old, call.now);
    // The last token with this permission must not end without a successor that is valid.
    const isWriter = old.permissions.includes("tokens:write");
    if (isWriter && issued.expiresAt !== null && issued.expiresAt <= call.arrivedAt) {
      const message = "is so long ago that the new token has expired already";
      throw createInvalidRequest([{ path: "Test-Clock", message }]);
    }
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
        requireAllowed(call, db, tenantId),
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
