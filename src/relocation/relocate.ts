/**
 * Relocates a tenant's data to another database, a slice at a time, while the tenant is in use. Codes are
 * verified all the time, because that needs no D1. Writes wait in the guards' outboxes and in the control
 * outbox.
 *
 * The progress is in `DB`, and is saved after each phase and slice, so an interrupted relocation can be
 * continued. A step that is repeated, late, or run twice at once changes nothing: a fence records the
 * relocation that set it, and its state only goes forward.
 */
import { type Actor, createTenantEvent } from "../audit/event.ts";
import { stampEvents } from "../audit/stamp.ts";
import { createId } from "../crypto/id.ts";
import type { Database } from "../db/client.ts";
import { controlDbOf, hasShard } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { runJob } from "../job.ts";
import { advanceRelocation, maxStaleReaderMs } from "./advance.ts";
import {
  beginRelocation,
  findRelocation,
  findShard,
  listRelocationsToFinish,
  type Relocation,
  saveRelocation,
} from "./store.ts";

/** In one scheduled run. */
const maxRelocationsPerRun = 10;
const maxPagesPerRelocation = 20;

export interface RelocateCall {
  readonly env: Env;
  readonly config: Config;
  readonly actor: Actor;
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
 * @throws AppError `not_found`, `invalid_request`; StoreError
 */
export async function relocate(
  call: RelocateCall,
  tenantId: string,
  shard: number,
  limit: number,
): Promise<Relocation> {
  const { env, config, now } = call;
  const control = controlDbOf(env);
  const current = await findShard(control, tenantId);
  if (current === undefined) throw new AppError("not_found");
  if (!hasShard(env, shard)) throw createShardError("is not a database of the service");
  const relocation = await findOrBegin(control, tenantId, { current, shard, now });
  const { from, to } = relocation;
  const event = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    { action: "tenant.relocated", outcome: "success", details: { from, to } },
  );
  const [switchEvent] = await stampEvents(config.auditSigningKeys, [event]);
  return await advanceRelocation({ env, now, switchEvent }, relocation, limit);
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
  // Clocks may differ between machines, but a relocation must be later than the previous one.
  const startedAt = Math.max(now, (known?.startedAt ?? 0) + 1);
  const begin = {
    ...{ tenantId, id: createId(startedAt), startedAt, switchedAt: null, finishedAt: null },
    ...{ tableIndex: 0, cursor: null, copied: 0 },
  };
  if (known !== undefined && known.finishedAt === null) {
    if (known.to === shard) return known;
    const hasSwitched = known.phase === "opening" || known.phase === "cleaning";
    // A reversed relocation already leads to the current shard and cannot be reversed again.
    if (known.from !== shard || current !== shard || hasSwitched) {
      throw createShardError(
        `conflicts with the relocation in progress, which goes to ${known.to}`,
      );
    }
    // The copied rows become leftovers, as after a switch.
    const reversed: Relocation = { ...begin, from: known.to, to: shard, phase: "switching" };
    if (await saveRelocation(control, known, reversed)) return reversed;
    throw new AppError("unavailable");
  }
  if (current === shard) {
    if (known?.to === shard) return known;
    throw createShardError("is already the tenant's database");
  }
  await beginRelocation(control, { ...begin, from: current, to: shard, phase: "leaving" });
  const begun = await findRelocation(control, tenantId);
  if (begun?.to !== shard) throw createShardError("conflicts with the relocation in progress");
  return begun;
}

/**
 * Finishes relocations that have switched, so that no further request is needed. Never throws: a failure is
 * logged, and the next run continues.
 * @param now Unix ms
 */
export async function finishRelocations(env: Env, now: number): Promise<void> {
  await runJob("relocation_not_finished", async () => {
    const until = now - maxStaleReaderMs;
    for (const relocation of await listRelocationsToFinish(
      controlDbOf(env),
      until,
      maxRelocationsPerRun,
    )) {
      await advanceRelocation({ env, now }, relocation, maxPagesPerRelocation);
    }
  });
}
