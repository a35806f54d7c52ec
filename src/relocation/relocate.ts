/**
 * Relocates a tenant's data to another database, a slice at a time, while the tenant is in use. Codes are
 * verified all the time, because that needs no D1. Writes wait in the guards' outboxes and in the control
 * outbox.
 *
 * The progress is in `DB`, and is saved after each phase and slice, so an interrupted relocation can be
 * continued. A step that is repeated, late, or run twice at once changes nothing: a fence records the
 * relocation that set it, and its state only goes forward.
 */
import { createTenantEvent, type RequestActor } from "../audit/event.ts";
import { createId, createIdAfter } from "../crypto/id.ts";
import type { Database } from "../db/client.ts";
import { controlDbOf, countDatabases, findShard, hasShard } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { type Config, requireConfig } from "../env.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { runJob } from "../job.ts";
import { stampTenantEvents } from "../tenancy/tenant-audit-key.ts";
import { advanceRelocation, maxStaleReaderMs, reverseRelocation } from "./advance.ts";
import {
  beginRelocation,
  findRelocation,
  listRelocationsToFinish,
  type Relocation,
  saveRelocation,
} from "./store.ts";

const minuteMs = 60_000;
/** In one scheduled run: of those whose tenants wait, and of those that have only rows to delete. */
const maxRelocationsPerRun = 10;
const maxPagesPerRelocation = 20;
const maxConcurrentRelocations = 5;
const relocationTimeoutMs = 10_000;
const maxRelocationsListed = 1_000;
/**
 * A binding that is missing after a switch may have been removed by mistake. Until then the rows in its database
 * may still be deleted.
 */
const maxUnboundMs = 24 * 60 * minuteMs;

export interface RelocateCall {
  readonly env: Env;
  readonly config: Config;
  readonly actor: RequestActor;
  readonly requestId: string;
  /** Real time, Unix ms. */
  readonly now: number;
}

function createShardError(message: string): AppError {
  return createInvalidRequest([{ path: "relocation.shard", message }]);
}

/**
 * Runs the next slice of a relocation, and begins one if there is none. If `shard` is the one that the
 * tenant is leaving, a relocation that has not switched yet is reversed.
 * @param limit pages of rows
 * @returns the progress
 * @throws AppError `not_found`, `invalid_request`, `tenant_deleting`; StoreError
 */
export async function relocate(
  call: RelocateCall,
  tenantId: string,
  shard: number,
  limit: number,
): Promise<Relocation> {
  const { env, now } = call;
  const control = controlDbOf(env);
  const current = await findShard(control, tenantId);
  if (current === undefined) throw new AppError("not_found");
  if (!hasShard(env, shard)) throw createShardError("is not a database of the service");
  const relocation = await findOrBegin(control, tenantId, { current, shard, now });
  return await advance(call, relocation, limit);
}

async function advance(
  call: RelocateCall,
  relocation: Relocation,
  limit: number,
): Promise<Relocation> {
  const { env, config, now } = call;
  const createSwitchEvents = async ({ tenantId, from, to, phase }: Relocation) => {
    const event = createTenantEvent(
      tenantId,
      call,
      { type: "tenant", id: tenantId },
      { action: "tenant.relocated", outcome: "success", details: { from, to } },
      // One request may switch a tenant and take it back; the two events need different ids.
      phase === "returning" ? 1 : 0,
    );
    return await stampTenantEvents({ env, config, now }, tenantId, [event]);
  };
  return await advanceRelocation({ env, now, createSwitchEvents }, relocation, limit);
}

/**
 * Finds the relocation to that shard: one in progress, or the last one if it led there. Else begins one.
 */
async function findOrBegin(
  control: Database,
  tenantId: string,
  {
    current,
    shard,
    now,
  }: { readonly current: number; readonly shard: number; readonly now: number },
): Promise<Relocation> {
  const known = await findRelocation(control, tenantId);
  if (known !== undefined && known.finishedAt === null) {
    if (known.to === shard) return known;
    if (known.from !== shard || current !== shard || !isReversible(known)) {
      throw createShardError(
        `conflicts with the relocation in progress, which goes to ${known.to}`,
      );
    }
    const reversed = { ...reverseRelocation(known, now), startedAt: now };
    if (await saveRelocation(control, known, reversed)) return reversed;
    throw new AppError("unavailable");
  }
  if (current === shard) {
    if (known?.to === shard) return known;
    throw createShardError("is already the tenant's database");
  }
  await beginRelocation(control, {
    tenantId,
    from: current,
    to: shard,
    phase: "leaving",
    tableIndex: 0,
    cursor: null,
    // Clocks may differ between machines, but a relocation must be later than the previous one.
    id: known === undefined ? createId(now) : createIdAfter(known.id, now),
    copied: 0,
    startedAt: now,
    switchedAt: null,
    finishedAt: null,
    summary: null,
  });
  const begun = await findRelocation(control, tenantId);
  if (begun?.to !== shard) throw createShardError("conflicts with the relocation in progress");
  return begun;
}

/** Whether the tenant's old database still has all data, and the relocation has not been reversed yet. */
function isReversible({ phase }: Relocation): boolean {
  return !["returning", "opening", "cleaning", "done"].includes(phase);
}

/** A part of the list that begins with another element each minute, so that every one has its turn. */
function selectInTurn<T>(all: readonly T[], now: number): T[] {
  const first = (Math.floor(now / minuteMs) * maxRelocationsPerRun) % Math.max(1, all.length);
  return [...all.slice(first), ...all.slice(0, first)].slice(0, maxRelocationsPerRun);
}

/**
 * Finishes relocations that have switched or return, so that no further request is needed: first those whose
 * tenants wait. Never throws. A relocation that fails or hangs is logged, does not hold up others, and is
 * continued by a later run.
 * @param now Unix ms
 */
export async function finishRelocations(env: Env, now: number): Promise<void> {
  await runJob("relocation_not_finished", async () => {
    const config = requireConfig(env);
    const lists = await listRelocationsToFinish(
      controlDbOf(env),
      {
        bound: now - maxStaleReaderMs,
        unbound: now - maxUnboundMs,
        lastShard: countDatabases(env) - 1,
      },
      maxRelocationsListed,
    );
    const call = { env, config, now, actor: { type: "system", id: null } as const };
    for (const due of lists.map((list) => selectInTurn(list, now))) {
      for (let first = 0; first < due.length; first += maxConcurrentRelocations) {
        const some = due.slice(first, first + maxConcurrentRelocations);
        await Promise.all(some.map((relocation) => finishRelocation(call, relocation)));
      }
    }
  });
}

async function finishRelocation(
  call: Omit<RelocateCall, "requestId">,
  relocation: Relocation,
): Promise<void> {
  const { tenantId, id: requestId } = relocation;
  await runJob(
    "relocation_not_finished",
    async () => {
      const work = advance({ ...call, requestId }, relocation, maxPagesPerRelocation);
      await awaitWithin(relocationTimeoutMs, work);
    },
    { tenant_id: tenantId },
  );
}
