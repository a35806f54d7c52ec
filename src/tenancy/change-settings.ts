/** Reads a tenant's settings, and changes them field by field. */

import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { type Actor, createTenantEvent } from "../audit/event.ts";
import { stampEvents } from "../audit/stamp.ts";
import { runBatch } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import type { Config } from "../env.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { isHintWithin, type Location } from "../location.ts";
import type { TenantPolicy } from "./policy.ts";
import { invalidateTenant } from "./resolve-token.ts";
import {
  applyDefaults,
  findContradictions,
  mergePatch,
  policyOf,
  type Settings,
  type SettingsPatch,
} from "./settings.ts";
import { findSettings, patchSettings } from "./tenant-store.ts";

async function readPatch(env: Env, tenantId: string): Promise<SettingsPatch> {
  const set = await findSettings(controlDbOf(env), tenantId);
  if (set === undefined) throw new AppError("not_found");
  return set;
}

export async function getSettings(env: Env, tenantId: string): Promise<Settings> {
  return applyDefaults(await readPatch(env, tenantId));
}

/**
 * Merges a patch and validates the result.
 * @param root the path of the patch in the request
 * @throws AppError `invalid_request` if the result contradicts itself
 */
function mergeValidPatch(set: SettingsPatch, patch: SettingsPatch, root: string): SettingsPatch {
  const merged = mergePatch(set, patch);
  const contradictions = findContradictions(applyDefaults(merged));
  if (contradictions.length > 0) {
    throw createInvalidRequest(
      contradictions.map(({ path, message }) => ({ path: `${root}.${path}`, message })),
    );
  }
  return merged;
}

/** The policy that the tenant would have with a patch. @throws AppError `invalid_request` */
export async function buildDraftPolicy(
  env: Env,
  tenantId: string,
  patch: SettingsPatch,
  root: string,
): Promise<TenantPolicy> {
  return policyOf(mergeValidPatch(await readPatch(env, tenantId), patch, root));
}

/** Whether the patch does nothing but shorten the retention of audit events, which makes room. */
function onlyShortensRetention(set: SettingsPatch, patch: SettingsPatch): boolean {
  const days = patch.audit?.retention_days;
  const isAlone = JSON.stringify(patch) === JSON.stringify({ audit: { retention_days: days } });
  return isAlone && days !== undefined && days < applyDefaults(set).audit.retention_days;
}

/**
 * Changes settings. They apply in this isolate at once, in all others within 30 s.
 * @throws AppError `invalid_request`
 */
export async function changeSettings(
  call: {
    readonly env: Env;
    readonly config: Config;
    readonly caller: { readonly tenantId: string; readonly location: Location };
    readonly actor: Actor;
    readonly now: number;
    readonly requestId: string;
  },
  patch: SettingsPatch,
): Promise<Settings> {
  const { tenantId, location } = call.caller;
  if (!isHintWithin(patch.location?.hint ?? null, location.jurisdiction)) {
    const message = "must lie within the tenant's jurisdiction";
    throw createInvalidRequest([{ path: "settings.location.hint", message }]);
  }
  const set = await readPatch(call.env, tenantId);
  mergeValidPatch(set, patch, "settings");
  const changed = Object.entries(patch).flatMap(([group, fields]) =>
    Object.keys(fields ?? {}).map((field) => `${group}.${field}`),
  );
  const event = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    {
      action: "settings.changed",
      outcome: "success",
      details: { changed: changed.join(" ") },
    },
  );
  const events = await stampEvents(call.config.auditSigningKeys, [event]);
  try {
    const change = patchSettings(controlDbOf(call.env), tenantId, patch);
    const run = onlyShortensRetention(set, patch) ? runEssentialTenantBatch : runBatch;
    await changeWithEvents(call.env, { tenantId }, events, [change], run);
  } finally {
    // This is done after an error too, because the change may have been applied.
    invalidateTenant(tenantId);
  }
  return await getSettings(call.env, tenantId);
}
