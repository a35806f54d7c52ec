/** Reads a tenant's settings, and changes them field by field. */

import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { runBatch, StaleReadError } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import type { Config } from "../env.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { isHintWithin, type Location } from "../location.ts";
import type { Mode } from "./api-token.ts";
import { findContradictions } from "./contradictions.ts";
import { describeChange } from "./describe-change.ts";
import { findTestOnlyValues } from "./passkey-settings.ts";
import type { TenantPolicy } from "./policy.ts";
import {
  applyDefaults,
  fieldsOf,
  mergePatch,
  policyOf,
  type Settings,
  type SettingsPatch,
} from "./settings.ts";
import { stampTenantEvents } from "./tenant-audit-key.ts";
import { findSettings, patchSettings, type StoredSettings } from "./tenant-store.ts";
import { invalidateTenant } from "./token-cache.ts";
import { requireValidToken } from "./token-condition-store.ts";

/** How often a change is tried when other changes come in between. */
const maxRounds = 10;

interface SettingsCall {
  readonly env: Env;
  readonly config: Config;
  readonly caller: {
    readonly tenantId: string;
    readonly tokenId: string;
    readonly mode: Mode;
    readonly location: Location;
  };
  readonly actor: RequestActor;
  readonly now: number;
  readonly requestId: string;
}

async function readSettings(env: Env, tenantId: string): Promise<StoredSettings> {
  const stored = await findSettings(controlDbOf(env), tenantId);
  if (stored === undefined) throw new AppError("not_found");
  return stored;
}

export async function getSettings(env: Env, tenantId: string): Promise<Settings> {
  return applyDefaults((await readSettings(env, tenantId)).set);
}

/**
 * Merges a patch and validates the result.
 * @param root the path of the patch in the request
 * @throws AppError `invalid_request` if a field of the patch contradicts another field
 */
function mergeValidPatch(set: SettingsPatch, patch: SettingsPatch, root: string): SettingsPatch {
  const merged = mergePatch(set, patch);
  const contradictions = findContradictions(applyDefaults(merged), patch);
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
  const { set } = await readSettings(env, tenantId);
  return policyOf(mergeValidPatch(set, patch, root));
}

/** The fields whose smaller values make room in a database. */
const retentionFields = [
  "retention.archive_after_days",
  "retention.personal_days",
  "retention.assessment_days",
];

/** Null keeps data without a limit. */
const toDays = (value: unknown) => (value === null ? Number.POSITIVE_INFINITY : Number(value));

/** Whether the patch does nothing but shorten how long data is kept. */
function onlyShortensRetention(set: SettingsPatch, patch: SettingsPatch): boolean {
  const stored = fieldsOf(applyDefaults(set));
  const patched = [...fieldsOf(patch)];
  const isShorter = ([name, days]: readonly [string, unknown]) =>
    retentionFields.includes(name) && toDays(days) < toDays(stored.get(name));
  return patched.length > 0 && patched.every(isShorter);
}

/**
 * Validates a patch with the settings that are stored now, and applies it if they are still stored.
 * @throws AppError `invalid_request`; StaleReadError if another change came in between; StoreError
 */
async function applyPatch(call: SettingsCall, patch: SettingsPatch): Promise<Settings> {
  const { tenantId } = call.caller;
  const { set, text } = await readSettings(call.env, tenantId);
  const settings = applyDefaults(mergeValidPatch(set, patch, "settings"));
  const event = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    {
      action: "settings.changed",
      outcome: "success",
      details: describeChange(applyDefaults(set), settings),
    },
  );
  const events = await stampTenantEvents(call, tenantId, [event]);
  const db = controlDbOf(call.env);
  const change = [
    requireValidToken(db, call.caller, call.now),
    ...patchSettings(db, tenantId, text, patch),
  ];
  const run = onlyShortensRetention(set, patch) ? runEssentialTenantBatch : runBatch;
  await changeWithEvents(call.env, { tenantId }, events, change, { run });
  return settings;
}

/**
 * Changes settings. They apply in this isolate at once, in all others within 30 s.
 * @throws AppError `invalid_request`; `unavailable` if other changes keep coming in between
 */
export async function changeSettings(call: SettingsCall, patch: SettingsPatch): Promise<Settings> {
  const { tenantId, location, mode } = call.caller;
  if (!isHintWithin(patch.location?.hint ?? null, location.jurisdiction)) {
    const message = "must lie within the tenant's jurisdiction";
    throw createInvalidRequest([{ path: "settings.location.hint", message }]);
  }
  const testOnly = mode === "test" ? [] : findTestOnlyValues(patch.passkeys ?? {});
  if (testOnly.length > 0) {
    throw createInvalidRequest(
      testOnly.map(({ path, message }) => ({ path: `settings.passkeys.${path}`, message })),
    );
  }
  try {
    for (let round = 0; round < maxRounds; round += 1) {
      try {
        return await applyPatch(call, patch);
      } catch (error) {
        if (!(error instanceof StaleReadError)) throw error;
      }
    }
    throw new AppError("unavailable");
  } finally {
    // This is done after an error too, because the change may have been applied.
    invalidateTenant(tenantId);
  }
}
