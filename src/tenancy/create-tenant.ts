/** Creates a tenant, and a first token with all permissions but `idp:export`. */

import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { createAuditKey, tenantKeyOwner } from "../audit/personal.ts";
import { createId } from "../crypto/id.ts";
import { controlDbOf, hasShard } from "../db/shards.ts";
import { createInvalidRequest } from "../errors.ts";
import { operatorScope, type RunOnceCall, runOnce } from "../idempotency/run-once.ts";
import { type Jurisdiction, supportsJurisdiction } from "../location.ts";
import type { Mode } from "./api-token.ts";
import { type IssuedToken, issueToken } from "./change-tokens.ts";
import { locationOf } from "./find-locations.ts";
import { firstPermissions } from "./permission.ts";
import { stampTenantEvents } from "./tenant-audit-key.ts";
import { insertTenant, type Tenant } from "./tenant-store.ts";
import { insertToken } from "./token-store.ts";

const firstTokenName = "initial";

export interface NewTenant {
  readonly tenant: Tenant;
  readonly token: IssuedToken;
}

/**
 * @throws AppError `invalid_request` if the environment does not bind the shard, or the runtime does not
 *   support the jurisdiction
 */
export async function createTenant(
  call: RunOnceCall & { readonly env: Env; readonly actor: RequestActor },
  wanted: {
    readonly name: string;
    readonly mode: Mode;
    readonly jurisdiction: Jurisdiction | null;
    readonly shard: number;
  },
): Promise<NewTenant> {
  const { jurisdiction, shard } = wanted;
  if (jurisdiction !== null && !supportsJurisdiction(call.env.GUARD, jurisdiction)) {
    const message =
      "is not supported by this runtime: a local one cannot keep objects in a jurisdiction";
    throw createInvalidRequest([{ path: "tenant.jurisdiction", message }]);
  }
  if (!hasShard(call.env, shard)) {
    throw createInvalidRequest([
      { path: "tenant.shard", message: "is not a database of the service" },
    ]);
  }
  const db = controlDbOf(call.env);
  return await runOnce<NewTenant>(call, operatorScope, db, async (keepAnswer) => {
    const tenant: Tenant = {
      ...wanted,
      id: createId(call.now),
      settings: {},
      createdAt: call.now,
      status: "active",
      suspendedAt: null,
    };
    const { issued, stored } = await issueToken(
      tenant,
      { name: firstTokenName, permissions: firstPermissions, lifetimeMs: null },
      call.now,
    );
    const created = createTenantEvent(
      tenant.id,
      call,
      { type: "tenant", id: tenant.id },
      {
        action: "tenant.created",
        outcome: "success",
        details: { mode: tenant.mode, ...(jurisdiction === null ? {} : { jurisdiction }) },
      },
    );
    const tokenCreated = createTenantEvent(
      tenant.id,
      call,
      { type: "api_token", id: issued.id },
      {
        action: "token.created",
        outcome: "success",
        details: { name: firstTokenName, permissions: firstPermissions.join(" ") },
      },
      1,
    );
    const auditKey =
      call.actor.actingFor === undefined
        ? undefined
        : await createAuditKey(call.config.sealingKeys, tenantKeyOwner(tenant.id));
    const keys = auditKey && { auditKey, location: locationOf(tenant) };
    const events = await stampTenantEvents(call, tenant.id, [created, tokenCreated], keys);
    const answer = { tenant, token: issued };
    await changeWithEvents(call.env, { tenantId: tenant.id, shard: tenant.shard }, events, [
      ...insertTenant(db, tenant, auditKey),
      insertToken(db, stored),
      ...(await keepAnswer(answer)),
    ]);
    return answer;
  });
}
