/**
 * The audit key of a tenant. It seals the personal parts of events about the tenant itself, its settings and its
 * API tokens: the person on whose behalf a request acted. It is created for the first event that has such a part, and
 * the deletion of the tenant destroys it.
 */
import { deriveKey } from "../audit/derived-key.ts";
import type { AuditEvent, StampedEvent } from "../audit/event.ts";
import {
  type AuditKey,
  createAuditKey,
  type OpenAuditKey,
  openAuditKey,
  tenantKeyOwner,
} from "../audit/personal.ts";
import { stampEvents } from "../audit/stamp.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialBatch, runEssentialTenantBatch } from "../db/space-reserve.ts";
import type { Config } from "../env.ts";
import type { Location } from "../location.ts";
import { findSealingDayKey } from "./sealing-day-key.ts";
import { findTenantAuditKey, setTenantAuditKey } from "./tenant-store.ts";
import { type CallerToken, requireValidToken } from "./token-condition-store.ts";

export interface StampCall {
  readonly env: Env;
  readonly config: Config;
  /** Undefined for the operator. */
  readonly caller?: (CallerToken & { readonly location?: Location }) | undefined;
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly now: number;
}

/**
 * Creates the key of a tenant without one. Undefined if the tenant is unknown.
 * @throws AppError `invalid_token`; StoreError
 */
async function createKey(call: StampCall, tenantId: string): Promise<AuditKey | undefined> {
  const { env, config, caller, now } = call;
  const db = controlDbOf(env);
  const key = await createAuditKey(config.sealingKeys, tenantKeyOwner(tenantId));
  const change = setTenantAuditKey(db, tenantId, key);
  // The key must not keep an essential change from a full database.
  if (caller === undefined) await runEssentialBatch(db, change);
  else await runEssentialTenantBatch(db, [requireValidToken(db, caller, now), ...change]);
  // Another request may have been first.
  return (await findTenantAuditKey(db, tenantId)) ?? undefined;
}

async function openKey(call: StampCall, tenantId: string): Promise<OpenAuditKey | undefined> {
  const known = await findTenantAuditKey(controlDbOf(call.env), tenantId);
  const key = known ?? (await createKey(call, tenantId));
  return key && (await openAuditKey(call.config.sealingKeys, tenantKeyOwner(tenantId), key));
}

/** A tenant that does not exist yet: what its record will say. */
interface CreatedTenant {
  readonly auditKey: AuditKey;
  readonly location: Location;
}

/**
 * Stamps events about a tenant, its settings or its tokens.
 * @param created the tenant that these events report as created
 * @throws AppError `invalid_token`; StoreError; MissingKeyError or BrokenSealError if the key does not open
 */
export async function stampTenantEvents(
  call: StampCall,
  tenantId: string,
  events: readonly AuditEvent[],
  created?: CreatedTenant,
): Promise<StampedEvent[]> {
  const { auditSigningKeys, sealingKeys } = call.config;
  if (events.every(({ personal }) => personal === null)) {
    return await stampEvents(auditSigningKeys, events);
  }
  const location = created?.location ?? call.caller?.location;
  // The day is that of the real clock, and never that of a test clock.
  const findDayKey = () => findSealingDayKey(call.env, { tenantId, location }, Date.now());
  const open =
    created === undefined
      ? openKey(call, tenantId)
      : openAuditKey(sealingKeys, tenantKeyOwner(tenantId), created.auditKey);
  // Beside each other, unless it must be looked up where the tenant is: it may not exist.
  const beside = location === undefined ? undefined : findDayKey();
  const [key, day] = await Promise.all([open, beside]);
  const derived = key && (await deriveKey(key, day ?? (await findDayKey())));
  return await stampEvents(auditSigningKeys, events, derived);
}
