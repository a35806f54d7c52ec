/**
 * The steps of a deletion. Each is bounded, and a step that is repeated changes nothing: an identity that is erased
 * stays erased, and a fence refuses what arrives late.
 */
import { deliverControlEvents } from "../audit/control-outbox/deliver.ts";
import type { StampedEvent } from "../audit/event.ts";
import { deleteAllDayKeys } from "../audit/personal-keys/client.ts";
import { findUnintegrated } from "../audit/tree/store.ts";
import { mapConcurrently } from "../concurrent.ts";
import { awaitStore, type Database } from "../db/client.ts";
import type { DeletionPhase } from "../db/deletion-phase.ts";
import { controlDbOf, databaseOf, invalidateShard, listDatabases } from "../db/shards.ts";
import { awaitWithin } from "../deadline.ts";
import { listDestinations } from "../destinations/store.ts";
import { followerOf } from "../destinations/wake.ts";
import { AppError } from "../errors.ts";
import { eraseIdentity } from "../guard/client.ts";
import { type Location, stubFor } from "../location.ts";
import { populationKeyOf } from "../sentinel/population/read.ts";
import { findLocations } from "../tenancy/find-locations.ts";
import { clearTokenRegister } from "../tenancy/token-register-client.ts";
import {
  closeToIdentities,
  discardRecords,
  listIdentityIds,
  listLivingIds,
} from "./identity-store.ts";
import { closeTrail, removeRows, removeTokens } from "./removal-store.ts";
import {
  type Deletion,
  findDeletion,
  findTenantToDelete,
  finishDeletion,
  hasWaitingEvents,
  saveDeletion,
} from "./store.ts";

/** Guards that one page calls. With its calls of D1, a page makes fewer than 60 subrequests. */
const maxIdentitiesPerPage = 50;
const maxConcurrentGuards = 8;
/** In each table. */
const maxRowsPerPage = 1_000;
/** How long an isolate may know a token, and report what it refused to it. Longer than both together. */
const maxKnownTokenMs = 60_000;
/** How long a prefix watch may keep what it has counted: it clears itself ten minutes after the last request. */
const maxWatchMs = 11 * 60_000;
/** How often the scheduled job integrates logs. */
const integrationPeriodMs = 30_000;
const objectTimeoutMs = 10_000;

interface AdvanceCall {
  readonly env: Env;
  /** Real time, Unix ms. */
  readonly now: number;
  /** Creates the last events of the trail. */
  readonly createLastEvents: (deletion: Deletion) => Promise<readonly StampedEvent[]>;
}

/** Runs at most `limit` pages, until no step is due. @returns the progress @throws StoreError, AppError */
export async function advanceDeletion(
  call: AdvanceCall,
  begun: Deletion,
  limit: number,
): Promise<Deletion> {
  const control = controlDbOf(call.env);
  let current = begun;
  for (let pages = 0; pages < limit && current.finishedAt === null; pages += 1) {
    if (call.now < current.dueAt) break;
    const next = await runStep(call, current);
    if (next === current) continue;
    if (next.finishedAt === null && !(await saveDeletion(control, current, next))) {
      // Another run was faster.
      return (await findDeletion(control, current.tenantId)) ?? next;
    }
    current = next;
  }
  return current;
}

function enterPhase(deletion: Deletion, phase: DeletionPhase): Deletion {
  return { ...deletion, phase, cursor: "" };
}

/** Processes one page. @returns the progress; the same object if the step must be repeated */
async function runStep(call: AdvanceCall, deletion: Deletion): Promise<Deletion> {
  const { env, now } = call;
  const { tenantId } = deletion;
  const control = controlDbOf(env);
  const db = databaseOf(env, deletion.shard);
  switch (deletion.phase) {
    case "erasing":
      return await erasePage(call, db, deletion);
    case "fencing": {
      const late = await listLivingIds(db, tenantId, maxIdentitiesPerPage);
      await eraseIdentities(call, db, deletion, late);
      if (late.length > 0) return deletion;
      const isClosed = await closeToIdentities(db, deletion);
      return isClosed ? enterPhase(deletion, "revoking") : deletion;
    }
    case "revoking": {
      // First what the register has to file: a revocation needs the token's row.
      await clearTokenRegister(env, tenantId);
      await removeTokens(control, tenantId);
      const { suspendedAt } = (await findTenantToDelete(control, tenantId)) ?? {};
      const dueAt = Math.max(now + maxKnownTokenMs, (suspendedAt ?? now) + maxWatchMs);
      return { ...enterPhase(deletion, "clearing"), dueAt };
    }
    case "clearing":
      await clearObjects(env, tenantId, await findLocation(control, tenantId));
      await awaitStore(env.IP_REPUTATION.delete(populationKeyOf(tenantId)));
      return enterPhase(deletion, "removing");
    case "removing": {
      await deliverControlEvents(env, tenantId);
      if (await hasWaitingEvents(control, tenantId)) throw new AppError("unavailable");
      const removals = listDatabases(env).map((one) => removeRows(one, tenantId, maxRowsPerPage));
      const isMore = (await Promise.all(removals)).includes(true);
      return isMore ? deletion : enterPhase(deletion, "closing");
    }
    case "closing":
      await closeTrail(db, tenantId, await call.createLastEvents(deletion));
      return enterPhase(deletion, "sealing");
    case "sealing": {
      // The integration of all logs has its own bounds, so the deletion waits for it.
      const isSealed = (await findUnintegrated(db, 1, tenantId)).length === 0;
      if (!isSealed) return { ...deletion, dueAt: now + integrationPeriodMs };
      const finished = { ...enterPhase(deletion, "done"), finishedAt: now };
      try {
        await finishDeletion(control, finished);
      } finally {
        // This is done after an error too, because the record may have been deleted.
        invalidateShard(tenantId);
      }
      return finished;
    }
    case "done":
      return deletion;
  }
}

async function findLocation(control: Database, tenantId: string): Promise<Location> {
  const location = (await findLocations(control, [tenantId])).get(tenantId);
  if (location === undefined) throw new AppError("unavailable");
  return location;
}

async function erasePage(call: AdvanceCall, db: Database, deletion: Deletion): Promise<Deletion> {
  const { tenantId, cursor, done, total } = deletion;
  const ids = await listIdentityIds(db, tenantId, cursor, maxIdentitiesPerPage);
  await eraseIdentities(call, db, deletion, ids);
  const last = ids.at(-1);
  if (last === undefined) return { ...enterPhase(deletion, "fencing"), done: total };
  return { ...deletion, cursor: last, done: Math.min(total, done + ids.length) };
}

/** Makes the guards erase these identities. @throws AppError if one does not; the others may have */
async function eraseIdentities(
  { env, now }: AdvanceCall,
  db: Database,
  { tenantId, id: requestId }: Deletion,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const location = await findLocation(controlDbOf(env), tenantId);
  const { jurisdiction } = location;
  const actor = { type: "operator", id: null } as const;
  const call = { tenantId, now, requestId, actor, jurisdiction, requestKey: null };
  const discarded: string[] = [];
  await mapConcurrently(ids, maxConcurrentGuards, async (identityId) => {
    const erasure = await eraseIdentity(env, location, { ...call, identityId });
    if (erasure === "discarded") discarded.push(identityId);
  });
  await discardRecords(db, tenantId, discarded);
}

/** @throws AppError `unavailable` if an object does not answer, or could not deliver its events */
async function clearObjects(env: Env, tenantId: string, location: Location): Promise<void> {
  const { REFUSALS, EXPORTS, TENANT_WATCHES } = env;
  const destinations = await listDestinations(controlDbOf(env), tenantId);
  const clearing = [
    ...destinations.map((destination) => followerOf(env, destination, location).end()),
    stubFor(REFUSALS, tenantId, location).clear(),
    stubFor(EXPORTS, tenantId, location).clear(),
    stubFor(TENANT_WATCHES, tenantId, location).clear(),
  ];
  const results = await Promise.allSettled([
    ...clearing.map((one) => awaitWithin(objectTimeoutMs, one)),
    clearTokenRegister(env, tenantId),
    deleteAllDayKeys(env, { tenantId, location }),
  ]);
  const isDone = results.every((one) => one.status === "fulfilled" && one.value !== false);
  if (!isDone) throw new AppError("unavailable");
}
