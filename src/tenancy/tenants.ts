/** A new tenant, with a first token that may do everything. */
import { type Actor, tenantEvent } from "../audit/event.ts";
import { filed } from "../audit/file.ts";
import { newId } from "../crypto/id.ts";
import { dbFor } from "../db/client.ts";
import { type OnceCall, once, operatorScope } from "../idempotency/once.ts";
import type { Mode } from "./api-token.ts";
import { permissions } from "./permission.ts";
import { insertTenant, type Tenant } from "./store.ts";
import { type IssuedToken, issueToken } from "./tokens.ts";

const firstTokenName = "initial";

export interface NewTenant {
  readonly tenant: Tenant;
  readonly token: IssuedToken;
}

export async function createTenant(
  call: OnceCall & { readonly env: Env; readonly actor: Actor },
  wanted: { readonly name: string; readonly mode: Mode },
): Promise<NewTenant> {
  const keysIn = dbFor(call.env, operatorScope);
  return await once<NewTenant>(call, operatorScope, keysIn, async (remember) => {
    const tenant: Tenant = { ...wanted, id: newId(call.now), settings: {}, createdAt: call.now };
    const { issued, stored } = issueToken(
      tenant,
      { name: firstTokenName, permissions, lifetimeMs: null },
      call.now,
    );
    const created = tenantEvent(
      tenant.id,
      call,
      { type: "tenant", id: tenant.id },
      { action: "tenant.created", outcome: "success", details: { mode: tenant.mode } },
    );
    const tokenCreated = tenantEvent(
      tenant.id,
      call,
      { type: "api_token", id: issued.id },
      {
        action: "token.created",
        outcome: "success",
        details: { permissions: permissions.join(" ") },
      },
      1,
    );
    const events = await filed(call.config.auditSigningKeys, [created, tokenCreated]);
    const answer = { tenant, token: issued };
    await insertTenant(dbFor(call.env, tenant.id), tenant, stored, events, await remember(answer));
    return answer;
  });
}
