/** The work of `GET /v1/idp/users/export`: a page of users with their secrets, and the event that reports it. */
import { base32nopad } from "@scure/base";
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent } from "../audit/event.ts";
import { mapConcurrently } from "../concurrent.ts";
import { controlDbOf, findTenantDb } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { type GuardCaller, readGuard } from "../guard/client.ts";
import type { ExportedUser } from "../guard/identity-guard.ts";
import type { ExportedSecret } from "../guard/imports.ts";
import { listEntries } from "../identity/store.ts";
import { buildKeyUri } from "../otp/key-uri.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import { stampTenantEvents } from "../tenancy/tenant-audit-key.ts";
import { requireValidToken } from "../tenancy/token-condition-store.ts";

/** Calls of guards at once. */
const maxConcurrent = 10;

interface ExportCall extends GuardCaller {
  readonly config: Config;
  readonly caller: TenantCaller;
}

/** A colon separates the issuer from the account. */
function showLabel(text: string): string {
  return text.replaceAll(":", " ");
}

function showSecret(externalId: string, { name, bytes, ...parameters }: ExportedSecret) {
  const secret = base32nopad.encode(bytes);
  const uri = buildKeyUri({
    issuer: showLabel(name),
    account: showLabel(externalId),
    secret,
    ...parameters,
  });
  return { secret, ...parameters, name, uri };
}

export function showUser({ externalId, status, secrets, backupCodesRemaining }: ExportedUser) {
  return {
    external_id: externalId,
    status,
    authenticators: secrets.map((secret) => showSecret(externalId, secret)),
    backup_codes_remaining: backupCodesRemaining,
  };
}

/** A user that was erased after the page was listed is left out. */
async function readUser(call: ExportCall, id: string): Promise<ExportedUser | undefined> {
  try {
    return await readGuard(call, id, (guard, guardCall) => guard.exportUser(guardCall));
  } catch (error) {
    if (error instanceof AppError && error.code === "user_not_found") return undefined;
    throw error;
  }
}

/** Files the event before the secrets are given, in a batch that the caller's token must be valid for. */
async function report(
  call: ExportCall,
  users: readonly { readonly id: string; readonly user: ExportedUser }[],
): Promise<void> {
  const giving = users.filter(({ user }) => user.secrets.length > 0);
  const [first, last] = [giving[0], giving.at(-1)];
  if (first === undefined || last === undefined) return;
  const { env, caller, now } = call;
  const { tenantId } = caller;
  const event = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    {
      action: "secrets.exported",
      outcome: "success",
      details: {
        users: giving.length,
        authenticators: giving.reduce((sum, { user }) => sum + user.secrets.length, 0),
        from_id: first.id,
        to_id: last.id,
      },
    },
  );
  const events = await stampTenantEvents(call, tenantId, [event]);
  const allowed = requireValidToken(controlDbOf(env), caller, now);
  await changeWithEvents(env, { tenantId }, events, [allowed]);
}

/**
 * Exports a page of users, in the order of their ids.
 * @throws AppError `export_not_allowed`, `invalid_token`, `unavailable`; StoreError
 */
export async function exportUsers(
  call: ExportCall,
  page: { readonly after?: string | undefined; readonly limit: number },
) {
  const { env, caller, now } = call;
  const { tenantId, policy } = caller;
  if (!policy.export.secrets) throw new AppError("export_not_allowed");
  const db = await findTenantDb(env, tenantId);
  const { entries, nextAfter } = await listEntries(db, tenantId, { ...page, now });
  const read = await mapConcurrently(entries, maxConcurrent, async ({ id }) => ({
    id,
    user: await readUser(call, id),
  }));
  const found = read.flatMap(({ id, user }) => (user === undefined ? [] : [{ id, user }]));
  await report(call, found);
  return { users: found.map(({ user }) => showUser(user)), nextAfter };
}
