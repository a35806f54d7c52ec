/** A guard's outbox on its way to D1: at least once, idempotent, all of a delivery or nothing. */

import type { AuditEvent, StampedEvent } from "../../audit/event.ts";
import { openAuditKey } from "../../audit/personal.ts";
import { stampEvents } from "../../audit/stamp.ts";
import { insertEvents } from "../../audit/store.ts";
import { versionOf } from "../../crypto/sealed-box.ts";
import {
  type Database,
  runBatch,
  type Statement,
  StoreError,
  hasNoChanges,
} from "../../db/client.ts";
import { databaseAt, inTenantDb, shardOf } from "../../db/shards.ts";
import { DeadlineError } from "../../deadline.ts";
import { configNow } from "../../env.ts";
import { type IdentityRecord, saveRecord } from "../../identity/store.ts";
import { requireMatchingKeys } from "../../keys/key-check.ts";
import { type NeededKey, reinstateNeededKeys } from "../../keys/version-store.ts";
import { causeOf, log } from "../../log.ts";
import { deleteLeftovers } from "../../relocation/leftovers.ts";
import type { AssessmentRecord, VerdictRecord } from "../../sentinel/assessment.ts";
import {
  deleteAssessments,
  insertAssessments,
  saveVerdicts,
} from "../../sentinel/assessments/store.ts";
import { recountPopulation } from "../../sentinel/population/store.ts";
import type { IdentityState } from "../decisions/state.ts";

/** What one transaction has to tell the world. */
export interface OutboxEntry {
  readonly events: readonly AuditEvent[];
  readonly assessment?: AssessmentRecord;
  readonly verdict?: VerdictRecord;
}

export interface VersionedState {
  readonly state: IdentityState;
  /** Grows by one with every change, over erasures too. */
  readonly version: number;
}

export interface PendingDelivery extends VersionedState {
  readonly entries: readonly OutboxEntry[];
  /** The last outbox row among them. */
  readonly lastSeq: number;
}

/** All that a guard has not delivered, as D1 is to have it: sealed and stamped. Plain JSON. */
export interface Delivery {
  readonly record: IdentityRecord;
  readonly events: readonly StampedEvent[];
  readonly assessments: readonly AssessmentRecord[];
  readonly verdicts: readonly VerdictRecord[];
  /** Versions of the keys that what D1 gets is under. */
  readonly keys: { readonly sealing: readonly number[]; readonly backupCodes: readonly number[] };
}

/** Versions of the sealing keys that the state needs. */
export function sealingVersionsOf({ totp, pendingTotp, auditKey }: IdentityState): number[] {
  const boxes = [totp?.sealed, pendingTotp?.sealed, auditKey?.sealed];
  return boxes.flatMap((box) => (box === undefined ? [] : (versionOf(box) ?? [])));
}

function buildRecord(state: IdentityState, version: number, realNow: number): IdentityRecord {
  const erased = state.status === "erased";
  return {
    tenantId: state.tenantId,
    id: state.identityId,
    externalId: erased ? null : state.externalId,
    status: state.status,
    lockedUntil: state.lockout.lockedUntil,
    createdAt: state.createdAt,
    // A tombstone's life is real time, whatever clock the erasing request ran at.
    updatedAt: erased ? realNow : state.updatedAt,
    version,
    // Attempts of the last hour and minute are worth nothing after a restore.
    state: erased ? null : JSON.stringify({ ...state, recent: [], rates: {} }),
  };
}

/** @throws ConfigError, UnfitKeysError: nothing is sealed or stamped under keys that do not fit */
export async function buildDelivery(
  env: Env,
  pending: PendingDelivery,
  realNow: number,
): Promise<Delivery> {
  const { state, version, entries: dispatches } = pending;
  const { auditKey, backupCodes } = state;
  const config = configNow(env);
  await requireMatchingKeys(env, config, realNow);
  const events = await stampEvents(
    config.auditSigningKeys,
    dispatches.flatMap((dispatch) => dispatch.events),
    // Of an erased person nothing is filed any more but that it happened.
    auditKey === null ? undefined : await openAuditKey(config.sealingKeys, state, auditKey),
  );
  return {
    record: buildRecord(state, version, realNow),
    events,
    assessments: dispatches.flatMap(({ assessment }) => assessment ?? []),
    verdicts: dispatches.flatMap(({ verdict }) => verdict ?? []),
    keys: {
      sealing: sealingVersionsOf(state),
      backupCodes: backupCodes === null ? [] : [backupCodes.keyVersion],
    },
  };
}

/** What one delivery says of its identity. The record comes first: the others look at it. */
function buildStatements(db: Database, delivery: Delivery): Statement[] {
  const { record, assessments, verdicts } = delivery;
  const { tenantId, id: identityId, version } = record;
  const delivered = { tenantId, identityId, version };
  return [
    saveRecord(db, record),
    ...insertAssessments(db, delivered, assessments),
    ...saveVerdicts(db, delivered, verdicts),
    ...(record.status === "erased"
      ? [deleteAssessments(db, tenantId, identityId), recountPopulation(db, tenantId)]
      : []),
  ];
}

/**
 * The keys that what D1 gets is under must not count as out of use; an older build may write this. After
 * the records: what came too late for D1 needs no key there.
 */
function reviveKeys(db: Database, deliveries: readonly Delivery[]): Statement[] {
  const needed = (ring: keyof Delivery["keys"]) =>
    deliveries.flatMap(({ record: { tenantId, id: identityId, version: recordVersion }, keys }) =>
      [...new Set(keys[ring])].map(
        (keyVersion): NeededKey => ({ tenantId, identityId, recordVersion, keyVersion }),
      ),
    );
  const [sealing, hashing] = [needed("sealing"), needed("backupCodes")];
  return [
    ...(sealing.length === 0 ? [] : [reinstateNeededKeys(db, "sealing", sealing)]),
    ...(hashing.length === 0 ? [] : [reinstateNeededKeys(db, "backup_codes", hashing)]),
  ];
}

/** The events of a tenant's deliveries. One may be in several: a guard sends what has not arrived again. */
function eventsOf(deliveries: readonly Delivery[]): StampedEvent[] {
  const events = deliveries.flatMap((delivery) => delivery.events);
  return [...new Map(events.map((event) => [event.id, event])).values()];
}

/** A delivery that is in D1. */
interface FiledDelivery {
  readonly delivery: Delivery;
  /** Its events are there, but a newer record was, so neither its record is nor what hangs on that. */
  readonly isOutdated: boolean;
}

/** Files deliveries of one tenant or many, together: one transaction, and one wait for it. */
async function fileIn(db: Database, deliveries: readonly Delivery[]): Promise<FiledDelivery[]> {
  const byTenant = Map.groupBy(deliveries, ({ record }) => record.tenantId);
  const statements: Statement[] = [];
  const placed = deliveries.map((delivery) => {
    const recordAt = statements.length;
    statements.push(...buildStatements(db, delivery));
    return { delivery, recordAt };
  });
  const results = await runBatch(db, [
    ...statements,
    ...[...byTenant].map(([tenantId, ofTenant]) => insertEvents(db, tenantId, eventsOf(ofTenant))),
    ...reviveKeys(db, deliveries),
  ]);
  return placed.map(({ delivery, recordAt }) => ({
    delivery,
    isOutdated: hasNoChanges(results[recordAt]),
  }));
}

/**
 * @returns whether D1 has its record now, and not a newer one
 * @throws StoreError: then nothing or everything arrived, and all may be filed again
 */
export async function fileDelivery(env: Env, delivery: Delivery): Promise<boolean> {
  const { tenantId, id: identityId, status } = delivery.record;
  const arrived = await inTenantDb(env, tenantId, (db) => fileIn(db, [delivery]));
  if (status === "erased") await deleteLeftovers(env, tenantId, identityId);
  return arrived.every(({ isOutdated }) => !isOutdated);
}

function isTimeout(error: unknown): boolean {
  return error instanceof StoreError && error.cause instanceof DeadlineError;
}

/** Those of one database in one transaction; where that fails, those of each tenant in one of their own. */
async function fileAtShard(
  env: Env,
  shard: number,
  deliveries: readonly Delivery[],
): Promise<readonly FiledDelivery[]> {
  try {
    return await fileIn(databaseAt(env, shard), deliveries);
  } catch {
    // One that cannot be filed, of a tenant that is moving too, must not hold up those of other tenants.
    const byTenant = Map.groupBy(deliveries, ({ record }) => record.tenantId);
    const arrived: FiledDelivery[] = [];
    for (const [tenantId, ofTenant] of byTenant) {
      try {
        arrived.push(...(await inTenantDb(env, tenantId, (db) => fileIn(db, ofTenant))));
      } catch (error) {
        log("error", "deliveries_not_filed", { cause: causeOf(error), count: ofTenant.length });
        // Of a database that does not answer nobody is waited for a hundred times.
        if (isTimeout(error)) break;
      }
    }
    return arrived;
  }
}

/** The deliveries by the database of their tenants. @throws StoreError */
async function groupByShard(
  env: Env,
  deliveries: readonly Delivery[],
): Promise<Map<number, Delivery[]>> {
  const tenants = [...new Set(deliveries.map(({ record }) => record.tenantId))];
  const shards = new Map(
    await Promise.all(
      tenants.map(async (tenantId) => [tenantId, await shardOf(env, tenantId)] as const),
    ),
  );
  return Map.groupBy(deliveries, ({ record }) => shards.get(record.tenantId) ?? 0);
}

/**
 * Files deliveries of any tenants, in as few transactions as that takes.
 * @returns those that arrived; the others may be filed again
 */
export async function fileDeliveries(
  env: Env,
  deliveries: readonly Delivery[],
): Promise<readonly FiledDelivery[]> {
  try {
    const shards = await groupByShard(env, deliveries);
    const filed = [...shards].map(([shard, some]) => fileAtShard(env, shard, some));
    return (await Promise.all(filed)).flat();
  } catch (error) {
    log("error", "deliveries_not_filed", { cause: causeOf(error), count: deliveries.length });
    return [];
  }
}
