/** Renames, suspends and reactivates tenants, for the operator. The change and its events are one batch. */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { type AuditEntry, createTenantEvent, type RequestActor } from "../audit/event.ts";
import { StaleReadError } from "../db/client.ts";
import { controlDbOf } from "../db/shards.ts";
import { runEssentialBatch } from "../db/space-reserve.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { stampTenantEvents } from "./tenant-audit-key.ts";
import { findTenant, type Tenant, updateTenant } from "./tenant-store.ts";
import { invalidateTenant } from "./token-cache.ts";

/** How often a change is tried when other changes come in between. */
const maxRounds = 10;

export interface TenantCall {
  readonly env: Env;
  readonly config: Config;
  readonly actor: RequestActor;
  readonly now: number;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
  readonly requestId: string;
}

export interface TenantPatch {
  readonly name?: string | undefined;
  readonly status?: "active" | "suspended" | undefined;
}

/** @throws AppError `not_found`; StoreError */
export async function getTenant(env: Env, id: string): Promise<Tenant> {
  const tenant = await findTenant(controlDbOf(env), id);
  if (tenant === undefined) throw new AppError("not_found");
  return tenant;
}

/** The events that report the difference between two states of a tenant. */
function listEntries(before: Tenant, after: Tenant): AuditEntry[] {
  const entries: AuditEntry[] = [];
  if (after.name !== before.name) {
    const details = { from: before.name, to: after.name };
    entries.push({ action: "tenant.renamed", outcome: "success", details });
  }
  if (after.status !== before.status) {
    const action = after.status === "active" ? "tenant.reactivated" : "tenant.suspended";
    entries.push({ action, outcome: "success" });
  }
  return entries;
}

function applyPatch(tenant: Tenant, patch: TenantPatch, arrivedAt: number): Tenant {
  const { name = tenant.name, status = tenant.status } = patch;
  if (status === tenant.status) return { ...tenant, name };
  return { ...tenant, name, status, suspendedAt: status === "active" ? null : arrivedAt };
}

/** @throws AppError `not_found`, `tenant_deleting`; StaleReadError if another change came in between; StoreError */
async function tryChange(call: TenantCall, id: string, patch: TenantPatch): Promise<Tenant> {
  const before = await getTenant(call.env, id);
  const after = applyPatch(before, patch, call.arrivedAt);
  const entries = listEntries(before, after);
  if (entries.length === 0) return before;
  if (before.status === "deleting") throw new AppError("tenant_deleting");
  const events = await stampTenantEvents(
    call,
    id,
    entries.map((entry, order) =>
      createTenantEvent(id, call, { type: "tenant", id }, entry, order),
    ),
  );
  const { name, status, suspendedAt } = after;
  const change = updateTenant(controlDbOf(call.env), before, { name, status, suspendedAt });
  await changeWithEvents(call.env, { tenantId: id }, events, change, { run: runEssentialBatch });
  return after;
}

/**
 * Changes a tenant, also one that is being relocated, and also on a full database. Other isolates apply a status
 * within 30 s. A patch that changes nothing has no event.
 * @throws AppError `not_found`; `tenant_deleting` once the tenant's deletion has begun; `unavailable` if other
 *   changes keep coming in between; StoreError
 */
export async function changeTenant(
  call: TenantCall,
  id: string,
  patch: TenantPatch,
): Promise<Tenant> {
  try {
    for (let round = 0; round < maxRounds; round += 1) {
      try {
        return await tryChange(call, id, patch);
      } catch (error) {
        if (!(error instanceof StaleReadError)) throw error;
      }
    }
    throw new AppError("unavailable");
  } finally {
    // This is done after an error too, because the change may have been applied.
    invalidateTenant(id);
  }
}
