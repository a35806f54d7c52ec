/**
 * Moving a tenant's data from one database to another, a slice at a time, while it is in use. Codes are
 * verified all the while, since that needs no D1; what is to be written waits: in the guards' outboxes and
 * in the control outbox.
 *
 * Where a move stands is in `DB`, and is saved after each phase and slice. It may end anywhere and go on
 * from there: a step that is done twice, or late, by another runner too, changes nothing, because fences
 * know which move set them and only ever go forward.
 */
import { type Actor, createTenantEvent } from "../audit/event.ts";
import { stampEvents } from "../audit/stamp.ts";
import { createId } from "../crypto/id.ts";
import type { Database } from "../db/client.ts";
import { controlDb, hasShard } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { AppError, invalidRequest } from "../errors.ts";
import { causeOf, log } from "../log.ts";
import { advanceRelocation, maxReaderLagMs } from "./advance.ts";
import {
  beginRelocation,
  findRelocation,
  findShard,
  listRelocationsToFinish,
  type Relocation,
  saveRelocation,
} from "./store.ts";

/** Of one run of the clock. */
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

function refuse(message: string): AppError {
  return invalidRequest([{ path: "relocation.shard", message }]);
}

/**
 * Does the next slice of a move, which it begins if there is none. Asked for the database that the tenant
 * is leaving, it turns a move round that has not switched yet.
 * @param limit pages of rows. @returns how far it has come
 * @throws AppError `not_found`, `invalid_request`; StoreError
 */
export async function relocate(
  call: RelocateCall,
  tenantId: string,
  shard: number,
  limit: number,
): Promise<Relocation> {
  const { env, config, now } = call;
  const control = controlDb(env);
  const home = await findShard(control, tenantId);
  if (home === undefined) throw new AppError("not_found");
  if (!hasShard(env, shard)) throw refuse("is no database of the service");
  const relocation = await findOrBegin(control, tenantId, { home, shard, now });
  const { from, to } = relocation;
  const event = createTenantEvent(
    tenantId,
    call,
    { type: "tenant", id: tenantId },
    { action: "tenant.relocated", outcome: "success", details: { from, to } },
  );
  const [told] = await stampEvents(config.auditSigningKeys, [event]);
  return await advanceRelocation({ env, now, told }, relocation, limit);
}

/** The move to that shard: the one under way, a new one, or the last one if that is where it led. */
async function findOrBegin(
  control: Database,
  tenantId: string,
  { home, shard, now }: { readonly home: number; readonly shard: number; readonly now: number },
): Promise<Relocation> {
  const known = await findRelocation(control, tenantId);
  // Whatever the clocks of machines say, a move is later than the one before.
  const startedAt = Math.max(now, (known?.startedAt ?? 0) + 1);
  const begin = {
    ...{ tenantId, id: createId(startedAt), startedAt, switchedAt: null, finishedAt: null },
    ...{ tableIndex: 0, cursor: null, copied: 0 },
  };
  if (known !== undefined && known.finishedAt === null) {
    if (known.to === shard) return known;
    const hasSwitched = known.phase === "opening" || known.phase === "cleaning";
    // A move that was turned round already leads home: there is no turning it again.
    if (known.from !== shard || home !== shard || hasSwitched) {
      throw refuse(`is not where the move goes that is under way: to ${known.to}`);
    }
    // What was copied is left behind, as after a switch.
    const turned: Relocation = { ...begin, from: known.to, to: shard, phase: "switching" };
    if (await saveRelocation(control, known, turned)) return turned;
    throw new AppError("unavailable");
  }
  if (home === shard) {
    if (known?.to === shard) return known;
    throw refuse("is where the tenant lives");
  }
  await beginRelocation(control, { ...begin, from: home, to: shard, phase: "leaving" });
  const begun = await findRelocation(control, tenantId);
  if (begun?.to !== shard) throw refuse("is not where the move goes that is under way");
  return begun;
}

/**
 * Finishes what has switched, should nobody ask for it any more. Never throws: what fails is logged, and the
 * next run does it.
 * @param now Unix ms
 */
export async function finishRelocations(env: Env, now: number): Promise<void> {
  try {
    const until = now - maxReaderLagMs;
    for (const relocation of await listRelocationsToFinish(
      controlDb(env),
      until,
      maxRelocationsPerRun,
    )) {
      await advanceRelocation({ env, now }, relocation, maxPagesPerRelocation);
    }
  } catch (error) {
    log("error", "relocation_not_finished", { cause: causeOf(error) });
  }
}
