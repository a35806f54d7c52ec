/** Deliveries from a guard to D1: at least once, idempotent, each as a whole or not at all. */

import type { FiledEvent } from "../../audit/event.ts";
import { saveRecord } from "../../audit/record-store.ts";
import { insertEvents } from "../../audit/store.ts";
import {
  type Database,
  deliveryTimeoutMs,
  FencedTenantError,
  runBatch,
  type Statement,
  StoreError,
} from "../../db/client.ts";
import { isDeletedTenant } from "../../db/deleted-tenants.ts";
import { refuseIfLate } from "../../db/lateness.ts";
import { databaseOf, runInTenantDb, shardOf } from "../../db/shards.ts";
import { runEssentialTenantBatch } from "../../db/space-reserve.ts";
import { DeadlineError } from "../../deadline.ts";
import {
  type OwnedClaim,
  releaseClaims,
  restoreClaims,
} from "../../identity/passkey-claim-store.ts";
import {
  findLackingRecords,
  hasLivingRecord,
  readLackingRecords,
  updateRecord,
} from "../../identity/store.ts";
import type { KeyringName } from "../../keys/keyring-names.ts";
import { type NeededKey, reinstateNeededKeys } from "../../keys/version-store.ts";
import { causeOf, log } from "../../log.ts";
import { deleteLeftovers } from "../../relocation/leftovers.ts";
import {
  deleteAssessments,
  insertAssessments,
  saveVerdicts,
} from "../../sentinel/assessments/store.ts";
import { recountPopulation } from "../../sentinel/population/store.ts";
import type { Delivery } from "./build-delivery.ts";

function releasedClaimsOf({ record, claims }: Delivery): OwnedClaim[] {
  const { tenantId, id: identityId } = record;
  return (claims?.released ?? []).map((claim) => ({ ...claim, tenantId, identityId }));
}

/** A delivery on its way to D1. */
export interface Filing {
  readonly delivery: Delivery;
  /** It may be older than tombstones, so it creates no record. */
  readonly isLate: boolean;
}

/**
 * The statements of one delivery, without its events. The record comes first, because the others check which
 * record D1 has: a batch that is late changes nothing about the next identity of the same name.
 */
function buildStatements(db: Database, { delivery, isLate }: Filing): Statement[] {
  const { record, assessments, verdicts, auditKeyId } = delivery;
  const { tenantId, id: identityId, version } = record;
  const delivered = { tenantId, identityId, version, auditKeyId };
  // Which of two verdicts on a session is the later one is decided by the version.
  const needsVersion = verdicts.some(({ isFirst }) => !isFirst);
  return [
    isLate ? updateRecord(db, record, auditKeyId) : saveRecord(db, { ...record, needsVersion }),
    ...insertAssessments(db, delivered, assessments),
    ...saveVerdicts(db, delivered, verdicts),
    ...(record.status === "erased"
      ? [recountPopulation(db, delivered), deleteAssessments(db, delivered)]
      : []),
  ];
}

/**
 * Puts retired keys that a delivery needs back in use, as when an older build has sealed it. The statements
 * follow the records, because an outdated delivery needs no key in D1.
 */
function reviveKeys(db: Database, deliveries: readonly Delivery[]): Statement[] {
  const needed = deliveries.flatMap(({ record, keys }): readonly NeededKey[] => {
    const { tenantId, id: identityId, version: recordVersion } = record;
    const find = (keyring: KeyringName, versions: readonly number[]) =>
      [...new Set(versions)].map((keyVersion) => ({
        tenantId,
        identityId,
        recordVersion,
        keyring,
        keyVersion,
      }));
    return [...find("sealing", keys.sealing), ...find("backup_codes", keys.backupCodes)];
  });
  return needed.length === 0 ? [] : [reinstateNeededKeys(db, needed)];
}

/** The claims of passkeys that deliveries hold and release, as statements. They follow the records. */
function updateClaims(db: Database, deliveries: readonly Delivery[]): Statement[] {
  const released = deliveries.flatMap(releasedClaimsOf);
  const held = deliveries.flatMap(({ record, claims, auditKeyId }) => {
    const { tenantId, id: identityId, version } = record;
    const owner = { tenantId, identityId, version, auditKeyId };
    return (claims?.held ?? []).map((claim) => ({ ...claim, ...owner }));
  });
  return [
    ...(released.length === 0 ? [] : [releaseClaims(db, released)]),
    ...(held.length === 0 ? [] : [restoreClaims(db, held)]),
  ];
}

/** The events of deliveries, each once: the queue may deliver a message again. */
function eventsOf(deliveries: readonly Delivery[]): FiledEvent[] {
  const events = deliveries.flatMap((delivery) => delivery.events);
  return [...new Map(events.map((event) => [event.id, event])).values()];
}

/** A delivery that D1 has answered. */
interface AnsweredDelivery {
  readonly delivery: Delivery;
  /** D1 has a newer record, or has none and the delivery was late. Everything else was filed. */
  readonly lacksRecord: boolean;
}

/** Files deliveries of one or more tenants in one transaction: first the events, then the records. */
async function fileIn(
  db: Database,
  filings: readonly Filing[],
  run = runBatch,
): Promise<AnsweredDelivery[]> {
  const deliveries = filings.map(({ delivery }) => delivery);
  const byTenant = Map.groupBy(deliveries, ({ record }) => record.tenantId);
  const statements = [...byTenant].map(([tenantId, ofTenant]) =>
    insertEvents(db, tenantId, eventsOf(ofTenant)),
  );
  for (const filing of filings) statements.push(...buildStatements(db, filing));
  statements.push(...updateClaims(db, deliveries), ...reviveKeys(db, deliveries));
  statements.push(refuseIfLate(db, Date.now()));
  const delivered = deliveries.map(({ record: { tenantId, id: identityId, version } }) => ({
    tenantId,
    identityId,
    version,
  }));
  statements.push(findLackingRecords(db, delivered));
  const results = await run(db, statements, deliveryTimeoutMs);
  const lacking = readLackingRecords(results.at(-1));
  return deliveries.map((delivery, index) => ({ delivery, lacksRecord: lacking.has(index) }));
}

/**
 * Files one delivery.
 * @returns false if D1 has a newer record, so that everything but the record was filed
 * @throws StoreError: either nothing or everything was filed, and the delivery may be filed again
 */
export async function fileDelivery(env: Env, delivery: Delivery): Promise<boolean> {
  const { tenantId, id: identityId, status, version } = delivery.record;
  const erase: typeof runBatch = (db, statements, timeoutMs) =>
    runEssentialTenantBatch(db, statements, timeoutMs, hasLivingRecord(tenantId, identityId));
  const run = status === "erased" ? erase : runBatch;
  const filed = await runInTenantDb(
    env,
    tenantId,
    (db) => fileIn(db, [{ delivery, isLate: false }], run),
    deliveryTimeoutMs,
  );
  if (status === "erased") {
    const erased = { tenantId, identityId, version };
    await deleteLeftovers(env, erased, releasedClaimsOf(delivery));
  }
  return filed.every(({ lacksRecord }) => !lacksRecord);
}

function isTimeout(error: unknown): boolean {
  return error instanceof StoreError && error.cause instanceof DeadlineError;
}

/** Files the deliveries of one shard in one transaction; if that fails, in one for each tenant. */
async function fileAtShard(
  env: Env,
  shard: number,
  filings: readonly Filing[],
): Promise<readonly AnsweredDelivery[]> {
  try {
    return await fileIn(databaseOf(env, shard), filings);
  } catch {
    // A delivery that cannot be filed, such as one of a tenant in relocation, must not block other tenants.
    const byTenant = Map.groupBy(filings, ({ delivery }) => delivery.record.tenantId);
    const filed: AnsweredDelivery[] = [];
    for (const [tenantId, ofTenant] of byTenant) {
      try {
        const work = (db: Database) => fileIn(db, ofTenant);
        filed.push(...(await runInTenantDb(env, tenantId, work, deliveryTimeoutMs)));
      } catch (error) {
        if (error instanceof FencedTenantError && (await isDeletedTenant(env, tenantId))) {
          // D1 accepts nothing of a deleted tenant any more.
          log("warn", "delivery_of_deleted_tenant", { source: "queue" });
          filed.push(...ofTenant.map(({ delivery }) => ({ delivery, lacksRecord: false })));
          continue;
        }
        log("error", "deliveries_not_filed", { cause: causeOf(error), count: ofTenant.length });
        // A database that does not answer would use up the timeout once for each tenant.
        if (isTimeout(error)) break;
      }
    }
    return filed;
  }
}

/** Groups deliveries by the shard of their tenant. @throws StoreError */
async function groupByShard(env: Env, filings: readonly Filing[]): Promise<Map<number, Filing[]>> {
  const tenants = [...new Set(filings.map(({ delivery }) => delivery.record.tenantId))];
  const shards = new Map(
    await Promise.all(
      tenants.map(
        async (tenantId) => [tenantId, await shardOf(env, tenantId, deliveryTimeoutMs)] as const,
      ),
    ),
  );
  return Map.groupBy(filings, ({ delivery }) => shards.get(delivery.record.tenantId) ?? 0);
}

/**
 * Files deliveries of any tenants in few transactions. Never throws.
 * @returns the deliveries that were filed; the others may be filed again
 */
export async function fileDeliveries(
  env: Env,
  filings: readonly Filing[],
): Promise<readonly AnsweredDelivery[]> {
  try {
    const shards = await groupByShard(env, filings);
    const filed = [...shards].map(([shard, ofShard]) => fileAtShard(env, shard, ofShard));
    return (await Promise.all(filed)).flat();
  } catch (error) {
    log("error", "deliveries_not_filed", { cause: causeOf(error), count: filings.length });
    return [];
  }
}
