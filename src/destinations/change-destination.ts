/**
 * Creates, changes and deletes destinations. Each change is one batch with its event, which writes nothing unless the
 * caller's token is valid when it runs. The follower is woken afterwards, and reads the row; so a call that is lost
 * loses nothing.
 */
import { changeWithEvents } from "../audit/control-outbox/change.ts";
import {
  type AuditAction,
  type AuditDetails,
  createTenantEvent,
  type RequestActor,
} from "../audit/event.ts";
import { findLogEnd } from "../audit/log-end-store.ts";
import { createId } from "../crypto/id.ts";
import { StaleReadError, type Statement } from "../db/client.ts";
import { controlDbOf, findTenantDb } from "../db/shards.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { type RunOnceCall, runOnce } from "../idempotency/run-once.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import { sealCredentials } from "../tenancy/destination-credentials.ts";
import { stampTenantEvents } from "../tenancy/tenant-audit-key.ts";
import { invalidateTenant } from "../tenancy/token-cache.ts";
import { requireValidToken } from "../tenancy/token-condition-store.ts";
import type { DestinationKind, StoredDestination } from "./destination.ts";
import {
  deleteDestination,
  findDestination,
  insertDestination,
  replaceDestination,
} from "./store.ts";
import { followerOf, wakeFollower } from "./wake.ts";

/** How often a change is tried when other changes come in between. */
const maxRounds = 10;

export interface DestinationCall extends RunOnceCall {
  readonly env: Env;
  readonly caller: Pick<TenantCaller, "tenantId" | "tokenId" | "location">;
  readonly actor: RequestActor;
}

/** What an event reports. It names no address and no credential. */
interface Report {
  readonly action: AuditAction;
  readonly details: AuditDetails;
}

/** Applies a change with its event. @throws AppError `invalid_token`, and those of the statements; StoreError */
async function apply(
  call: DestinationCall,
  { kind, id }: Pick<StoredDestination, "kind" | "id">,
  { action, details }: Report,
  change: readonly Statement[],
): Promise<void> {
  const { env, caller } = call;
  const { tenantId } = caller;
  const entry = { action, outcome: "success", details } as const;
  const event = createTenantEvent(tenantId, call, { type: kind, id }, entry);
  const events = await stampTenantEvents(call, tenantId, [event]);
  try {
    const allowed = requireValidToken(controlDbOf(env), caller, call.now);
    await changeWithEvents(env, { tenantId }, events, [allowed, ...change]);
  } finally {
    // This is done after an error too, because the change may have been applied.
    invalidateTenant(tenantId);
  }
}

/** The leaf at which a destination begins. @throws AppError `invalid_request` if the log is shorter */
async function findStart(
  { env, caller }: DestinationCall,
  from: number | undefined,
  path: string,
): Promise<number> {
  const end = await findLogEnd(await findTenantDb(env, caller.tenantId), caller.tenantId);
  if (from === undefined) return end;
  if (from <= end) return from;
  throw createInvalidRequest([
    { path, message: "must not be greater than the leaf index of the next event" },
  ]);
}

/** What the answer to a request shows of a destination. A repeated request gets the same answer. */
export type AnswerWith<T> = (destination: StoredDestination) => Promise<T>;

/**
 * Creates a destination.
 * @param wanted.from the first leaf that it receives; without it, it receives what is filed from now on
 * @throws AppError `invalid_token`, `too_many`, `invalid_request`; StoreError
 */
export async function createDestination<T>(
  call: DestinationCall,
  kind: DestinationKind,
  wanted: {
    readonly configuration: object;
    readonly credentials: object;
    readonly from?: number | undefined;
    readonly details: AuditDetails;
  },
  answerWith: AnswerWith<T>,
): Promise<T> {
  const { env, config, now, arrivedAt } = call;
  const { tenantId, location } = call.caller;
  const db = controlDbOf(env);
  return await runOnce<T>(call, tenantId, db, async (keepAnswer) => {
    const owner = { tenantId, id: createId(now) };
    const destination: StoredDestination = {
      ...owner,
      kind,
      configuration: JSON.stringify(wanted.configuration),
      credentials: await sealCredentials(config.sealingKeys, owner, wanted.credentials),
      status: "enabled",
      disabledReason: null,
      startLeaf: await findStart(call, wanted.from, `${kind}.from`),
      startedAt: arrivedAt,
      createdAt: now,
      updatedAt: arrivedAt,
    };
    const answer = await answerWith(destination);
    const report = { action: `${kind}.created`, details: wanted.details } as const;
    await apply(call, destination, report, [
      ...(await keepAnswer(answer)),
      ...insertDestination(db, destination),
    ]);
    await wakeFollower(env, destination, location);
    return answer;
  });
}

/** Finds a destination of this kind. @throws AppError `not_found`; StoreError */
export async function getDestination(
  env: Env,
  tenantId: string,
  kind: DestinationKind,
  id: string,
): Promise<StoredDestination> {
  const found = await findDestination(controlDbOf(env), { tenantId, id });
  if (found?.kind !== kind) throw new AppError("not_found");
  return found;
}

/** What a change makes of a destination. Absent fields stay. */
export interface DestinationChange {
  readonly configuration?: object;
  /** A box; see `sealCredentials`. */
  readonly credentials?: string;
  readonly status?: "enabled" | "disabled";
  readonly startLeaf?: number;
}

function applyChange(
  read: StoredDestination,
  { configuration, credentials, status, startLeaf }: DestinationChange,
  arrivedAt: number,
): StoredDestination {
  return {
    ...read,
    configuration: configuration === undefined ? read.configuration : JSON.stringify(configuration),
    credentials: credentials ?? read.credentials,
    status: status ?? read.status,
    disabledReason: status === undefined ? read.disabledReason : null,
    startLeaf: startLeaf ?? read.startLeaf,
    // Both grow, whatever clocks say, because the follower compares them.
    startedAt: startLeaf === undefined ? read.startedAt : Math.max(arrivedAt, read.startedAt + 1),
    updatedAt: Math.max(arrivedAt, read.updatedAt + 1),
  };
}

/** What a request makes of a destination. */
interface Decision<T> {
  readonly change: DestinationChange;
  readonly report: Report;
  readonly answerWith: AnswerWith<T>;
}

/**
 * Changes a destination, and tries again if another change comes in between.
 * @throws AppError `invalid_token`, `not_found`; `unavailable` if other changes keep coming in between; StoreError
 */
export async function changeDestination<T>(
  call: DestinationCall,
  kind: DestinationKind,
  id: string,
  decide: (read: StoredDestination) => Promise<Decision<T>>,
): Promise<T> {
  const { env, arrivedAt } = call;
  const { tenantId, location } = call.caller;
  const db = controlDbOf(env);
  return await runOnce<T>(call, tenantId, db, async (keepAnswer) => {
    for (let round = 0; round < maxRounds; round += 1) {
      const read = await getDestination(env, tenantId, kind, id);
      const { change, report, answerWith } = await decide(read);
      const changed = applyChange(read, change, arrivedAt);
      const answer = await answerWith(changed);
      try {
        await apply(call, read, report, [
          ...(await keepAnswer(answer)),
          ...replaceDestination(db, read, changed),
        ]);
      } catch (error) {
        if (error instanceof StaleReadError) continue;
        throw error;
      }
      await wakeFollower(env, read, location, "changed");
      return answer;
    }
    throw new AppError("unavailable");
  });
}

/** Sets the cursor to a leaf. @throws as `changeDestination`; AppError `invalid_request` */
export async function replayFrom<T>(
  call: DestinationCall,
  kind: DestinationKind,
  id: string,
  from: number,
  answerWith: AnswerWith<T>,
): Promise<T> {
  return await changeDestination(call, kind, id, async () => ({
    change: { startLeaf: await findStart(call, from, "from") },
    report: { action: `${kind}.replayed`, details: { from } },
    answerWith,
  }));
}

/**
 * Sends an event again that is among the last attempts.
 * @throws AppError `invalid_token`, `not_found`; `too_many` if as many deliveries wait as may wait; `unavailable`
 */
export async function replayEvent(
  call: DestinationCall,
  kind: DestinationKind,
  id: string,
  eventId: string,
): Promise<void> {
  const { env, caller } = call;
  const { tenantId, location } = caller;
  const replay = async (isTrial: boolean) => {
    const result = await followerOf(env, { tenantId, id }, location)
      .replayEvent(eventId, isTrial)
      .catch(() => "failed" as const);
    if (result === "unknown") throw new AppError("not_found");
    if (result === "too_many") throw new AppError("too_many");
    if (result === "failed") throw new AppError("unavailable");
  };
  await changeDestination(call, kind, id, async () => {
    await replay(true);
    const report = { action: `${kind}.replayed`, details: { event_id: eventId } } as const;
    return { change: {}, report, answerWith: async () => null };
  });
  // After the change, so that a request that is repeated does it if it was not done.
  await replay(false);
}

/** Deletes a destination. Nothing is sent any more. @throws AppError `invalid_token`, `not_found`; StoreError */
export async function removeDestination(
  call: DestinationCall,
  kind: DestinationKind,
  id: string,
): Promise<void> {
  const { env, caller } = call;
  const { tenantId, location } = caller;
  const found = await getDestination(env, tenantId, kind, id);
  const report = { action: `${kind}.removed`, details: {} } as const;
  await apply(call, found, report, deleteDestination(controlDbOf(env), found));
  // If this fails, the follower ends with its next run, which finds no row.
  await followerOf(env, found, location)
    .end()
    .catch(() => false);
}
