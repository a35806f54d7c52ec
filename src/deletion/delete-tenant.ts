/**
 * Deletes a tenant: every identity, object and row, and leaves the sealed trail for its retention. The progress is in
 * `DB`, and is saved after each page, so an interrupted deletion continues with the next request or scheduled run.
 */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { stampEvents } from "../audit/stamp.ts";
import { createId } from "../crypto/id.ts";
import { requireCondition } from "../db/client.ts";
import { controlDbOf, databaseOf } from "../db/shards.ts";
import { runEssentialTenantBatch } from "../db/space-reserve.ts";
import { forEachInTurn } from "../db/turns.ts";
import { type Config, requireConfig } from "../env.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { runJob } from "../job.ts";
import { findRetentionDays } from "../tenancy/find-retention.ts";
import { stampTenantEvents } from "../tenancy/tenant-audit-key.ts";
import { advanceDeletion } from "./advance.ts";
import { countRecords } from "./identity-store.ts";
import { removeEndedTree } from "./removal-store.ts";
import {
  beginDeletion,
  type Deletion,
  deleteDeletion,
  findDeletion,
  findTenantToDelete,
  hasNoRelocation,
  isDeletable,
  listDueDeletions,
  listFinishedDeletions,
} from "./store.ts";

const minuteMs = 60_000;
/** How long a tenant must have been suspended, by its mode. */
const minSuspensionMs = { live: 24 * 60 * minuteMs, test: minuteMs } as const;
const maxPagesPerRequest = 4;
/** Of one scheduled run, over all tenants together: it shares the platform's limit with the other jobs. */
const maxPagesPerRun = 4;
const pagesPerDeletion = 2;
const maxDeletionsPerRun = 20;
const maxTrailsPerRun = 50;
const maxTilesPerTrail = 1_000;

export interface DeleteCall {
  readonly env: Env;
  readonly config: Config;
  readonly actor: RequestActor;
  readonly requestId: string;
  /** Real time, Unix ms. */
  readonly now: number;
}

/**
 * Begins the tenant's deletion, or continues it.
 * @param name the tenant's; a deletion that has begun does not compare it
 * @returns the progress
 * @throws AppError `not_found`, `invalid_request`, `tenant_active`, `relocation_in_progress`; StoreError
 */
export async function deleteTenant(
  call: DeleteCall,
  tenantId: string,
  name: string,
): Promise<Deletion> {
  const known = await findDeletion(controlDbOf(call.env), tenantId);
  const deletion = known ?? (await begin(call, tenantId, name));
  return await advance(call, deletion, maxPagesPerRequest);
}

async function begin(call: DeleteCall, tenantId: string, name: string): Promise<Deletion> {
  const { env, now } = call;
  const control = controlDbOf(env);
  const tenant = await findTenantToDelete(control, tenantId);
  if (tenant === undefined) throw new AppError("not_found");
  const { shard } = tenant;
  if (tenant.name !== name) {
    throw createInvalidRequest([{ path: "tenant.name", message: "must be the tenant's name" }]);
  }
  const [total, retentions] = await Promise.all([
    countRecords(databaseOf(env, shard), tenantId),
    findRetentionDays(env, [tenantId]),
  ]);
  const deletion: Deletion = {
    tenantId,
    id: createId(now),
    shard,
    phase: "erasing",
    cursor: "",
    total,
    done: 0,
    dueAt: now,
    startedAt: now,
    finishedAt: null,
    retentionDays: retentions.get(tenantId) ?? 0,
  };
  const started = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    { action: "tenant.deletion_started", outcome: "success", details: { identities: total } },
  );
  const events = await stampTenantEvents(call, tenantId, [started]);
  const suspendedUntil = now - minSuspensionMs[tenant.mode];
  await changeWithEvents(
    env,
    { tenantId, shard },
    events,
    [
      requireCondition(control, isDeletable(tenantId, name, suspendedUntil), "tenant_active"),
      requireCondition(control, hasNoRelocation(tenantId), "relocation_in_progress"),
      ...beginDeletion(control, deletion),
    ],
    { run: runEssentialTenantBatch },
  );
  return deletion;
}

async function advance(
  { env, config, now }: Omit<DeleteCall, "actor" | "requestId">,
  deletion: Deletion,
  limit: number,
): Promise<Deletion> {
  const createLastEvents = async ({ tenantId, id: requestId, done }: Deletion) => {
    const event = createTenantEvent(
      tenantId,
      { now, actor: { type: "operator", id: null }, requestId },
      { type: "tenant", id: tenantId },
      { action: "tenant.deleted", outcome: "success", details: { identities: done } },
    );
    return await stampEvents(config.auditSigningKeys, [event]);
  };
  return await advanceDeletion({ env, now, createLastEvents }, deletion, limit);
}

/**
 * Continues deletions, in turn. Never throws: one that fails is logged, holds up no other, and is continued by a
 * later run. @param now real time, Unix ms
 */
export async function continueDeletions(env: Env, now: number): Promise<void> {
  const control = controlDbOf(env);
  const failure = "tenant_deletion_failed";
  let pagesLeft = maxPagesPerRun;
  await runJob(failure, async () => {
    const config = requireConfig(env);
    const hasBudget = () => pagesLeft > 0;
    const job = {
      job: "tenant_deletion",
      failure,
      maxTenants: maxDeletionsPerRun,
      hasBudget,
    } as const;
    const list = (limit: number) => listDueDeletions(control, now, limit);
    await forEachInTurn(control, job, list, async (deletion) => {
      pagesLeft -= pagesPerDeletion;
      await advance({ env, config, now }, deletion, pagesPerDeletion);
    });
  });
}

/**
 * Removes the trees of deleted tenants whose events have all left for the archive, and what is known of the
 * deletion. Never throws. Without an archive every trail stays.
 */
export async function removeEndedTrails(env: Env): Promise<void> {
  if (env.AUDIT_ARCHIVE === undefined) return;
  const control = controlDbOf(env);
  const failure = "ended_trail_not_removed";
  const job = { job: "ended_trails", failure, maxTenants: maxTrailsPerRun } as const;
  const list = (limit: number) => listFinishedDeletions(control, limit);
  await runJob(failure, () =>
    forEachInTurn(control, job, list, async ({ tenantId, shard }) => {
      const isGone = await removeEndedTree(databaseOf(env, shard), tenantId, maxTilesPerTrail);
      if (isGone) await deleteDeletion(control, tenantId);
    }),
  );
}
