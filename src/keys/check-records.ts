/**
 * Counts the records of a database range by range, and retires key versions that no record needs. Each request
 * counts a bounded number of ranges; the row of the re-encryption keeps the position and the counts.
 *
 * A count that takes many requests proves nothing by itself, because data under an old key may arrive in a range
 * that was counted before. So a check first marks the versions that it may retire. A delivery, and a relocation,
 * removes the mark of each version that its data needs, in the same transaction. At the end a version is retired
 * if the whole directory was counted since the mark, nothing needs the version, and the mark is still there.
 */
import { renewAuditKey, tenantKeyOwner } from "../audit/personal.ts";
import { createId } from "../crypto/id.ts";
import { requireAllDatabases } from "../db/bound-shards.ts";
import { type Database, runBatch } from "../db/client.ts";
import { requireNoOpenRelocation } from "../db/open-relocations.ts";
import type { Config } from "../env.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import { log } from "../log.ts";
import { resealCredentials } from "../tenancy/destination-credentials.ts";
import { keyringOf } from "./key-check.ts";
import type { KeyringName } from "./keyring-names.ts";
import type { ReEncryption } from "./re-encryption-store.ts";
import { addCounts, noRecords, type RecordCounts } from "./record-counts.ts";
import {
  countRange,
  listDestinationsToReseal,
  listRequestsToReseal,
  listTenantKeysToReseal,
  replaceCredentials,
  replaceReceipt,
  replaceTenantKey,
} from "./sealed-data-store.ts";
import { listKeyVersions, markForCheck, reinstateKeys, retireChecked } from "./version-store.ts";

const maxRequestsPerSlice = 100;
const maxTenantKeysPerSlice = 100;
const maxDestinationsPerSlice = 100;
const retirableKeyrings = ["sealing", "backup_codes"] as const satisfies readonly KeyringName[];

/** How much one request counts. */
export interface CountBounds {
  /** Records that one statement reads, so that it meets its deadline. */
  readonly recordsPerRange: number;
  /** Each range takes two statements. */
  readonly rangesPerRequest: number;
}

export const defaultCountBounds: CountBounds = { recordsPerRange: 10_000, rangesPerRequest: 10 };

const startOfDirectory = { tenantId: "", identityId: "" };

/** The versions of a keyring that are older than the newest. Keys that sign the trail are never retired. */
function olderVersionsOf(config: Config, name: KeyringName): number[] {
  const { keys, newest } = keyringOf(config, name);
  return [...keys.keys()].filter((version) => version < newest);
}

/** The older versions that are in use in this database. */
async function findOlderInUse(db: Database, config: Config, name: KeyringName): Promise<number[]> {
  const older = olderVersionsOf(config, name);
  const recorded = await listKeyVersions(db);
  return recorded
    .filter(({ keyring, retiredAt }) => keyring === name && retiredAt === null)
    .map(({ version }) => version)
    .filter((version) => older.includes(version));
}

/** Whether boxes in this database may be under an older key, although its re-encryption has finished. */
export async function mayHoldOlderBoxes(db: Database, config: Config): Promise<boolean> {
  if ((await findOlderInUse(db, config, "sealing")).length > 0) return true;
  const { newest } = config.sealingKeys;
  if ((await listTenantKeysToReseal(db, newest, 1)).length > 0) return true;
  if ((await listDestinationsToReseal(db, newest, 1)).length > 0) return true;
  return (await listRequestsToReseal(db, newest, 1)).length > 0;
}

/** Whether a check could retire a version in this database. */
export async function mayRetireKeys(db: Database, config: Config): Promise<boolean> {
  if ((await findOlderInUse(db, config, "backup_codes")).length > 0) return true;
  return await mayHoldOlderBoxes(db, config);
}

/**
 * Begins a check. The marks are set before the progress is saved: a check whose progress was not saved leaves
 * marks that nothing refers to.
 */
export async function beginCheck(
  db: Database,
  config: Config,
  run: ReEncryption,
  now: number,
): Promise<ReEncryption> {
  const checkId = createId(now);
  await runBatch(
    db,
    retirableKeyrings.flatMap((name) => {
      const older = olderVersionsOf(config, name);
      return older.length === 0 ? [] : [markForCheck(db, name, older, checkId)];
    }),
  );
  return {
    ...run,
    ...startOfDirectory,
    phase: "checking",
    checkId,
    found: noRecords,
    finishedAt: null,
  };
}

interface Advance {
  readonly run: ReEncryption;
  /** The counts of the whole directory, once it has been counted. */
  readonly complete: RecordCounts | undefined;
  readonly ranges: number;
}

/** Counts further ranges. */
export async function advanceCount(
  db: Database,
  run: ReEncryption,
  { recordsPerRange, rangesPerRequest }: CountBounds,
): Promise<Advance> {
  let after = run;
  for (let ranges = 1; ranges <= rangesPerRequest; ranges += 1) {
    const { end, counts } = await countRange(db, after, run.version, recordsPerRange);
    const found = addCounts(after.found ?? noRecords, counts);
    after = { ...after, ...end, found };
    if (end === undefined) return { run: after, complete: found, ranges };
  }
  return { run: after, complete: undefined, ranges: rangesPerRequest };
}

/** Seals receipts of kept requests anew. @returns whether there may be more */
async function resealReceipts(db: Database, config: Config, version: number): Promise<boolean> {
  const requests = await listRequestsToReseal(db, version, maxRequestsPerSlice);
  for (const request of requests) {
    const { tenantId, key, box } = request;
    const owner = { tenantId, identityId: "" };
    const resealed = await resealReceipt(config.sealingKeys, owner, key, box);
    await replaceReceipt(db, request, resealed);
  }
  return requests.length === maxRequestsPerSlice;
}

/** Seals tenants' audit keys anew. @returns whether there may be more */
async function resealTenantKeys(db: Database, config: Config, version: number): Promise<boolean> {
  const keys = await listTenantKeysToReseal(db, version, maxTenantKeysPerSlice);
  for (const key of keys) {
    const owner = tenantKeyOwner(key.tenantId);
    await replaceTenantKey(db, key, await renewAuditKey(config.sealingKeys, owner, key.auditKey));
  }
  return keys.length === maxTenantKeysPerSlice;
}

/** Seals the credentials of destinations anew. @returns whether there may be more */
async function resealDestinations(db: Database, config: Config, version: number): Promise<boolean> {
  const sealed = await listDestinationsToReseal(db, version, maxDestinationsPerSlice);
  for (const one of sealed) {
    const resealed = await resealCredentials(config.sealingKeys, one, one.credentials);
    await replaceCredentials(db, one, resealed);
  }
  return sealed.length === maxDestinationsPerSlice;
}

/** Retires what the check allows. */
async function retireUnneeded(
  db: Database,
  config: Config,
  checkId: string,
  { codeSets }: RecordCounts,
  now: number,
): Promise<void> {
  const unneeded = {
    sealing: olderVersionsOf(config, "sealing"),
    backup_codes: olderVersionsOf(config, "backup_codes").filter(
      (version) => codeSets[version] === undefined,
    ),
  };
  for (const name of retirableKeyrings) {
    await retireChecked(db, name, unneeded[name], checkId, now);
  }
}

/** Puts versions that the check has found in use back in use, if they were retired. */
async function reinstateFound(
  db: Database,
  config: Config,
  { underOlderKeys, codeSets }: RecordCounts,
): Promise<void> {
  if (underOlderKeys > 0) {
    await reinstateKeys(db, "sealing", olderVersionsOf(config, "sealing"));
  }
  await reinstateKeys(db, "backup_codes", Object.keys(codeSets).map(Number));
}

interface CheckCall {
  readonly env: Env;
  readonly config: Config;
  /** Real time, Unix ms. */
  readonly now: number;
  readonly bounds?: CountBounds;
}

/**
 * Continues a check. At its end the re-encryption has finished, or another pass or another check begins.
 * @throws StoreError; AppError `unavailable` if the check has ended and tenants' data is out of reach or moving
 */
export async function continueCheck(
  { env, config, now, bounds = defaultCountBounds }: CheckCall,
  db: Database,
  before: ReEncryption,
): Promise<ReEncryption> {
  const { checkId } = before;
  // Receipts first: they may be under an older key too, and nothing marks their arrival.
  if (checkId === null || (await resealReceipts(db, config, before.version))) return before;
  if (await resealTenantKeys(db, config, before.version)) return before;
  if (await resealDestinations(db, config, before.version)) return before;
  const { run, complete } = await advanceCount(db, before, bounds);
  if (complete === undefined) return run;
  await reinstateFound(db, config, complete);
  const counted = { ...run, counts: complete, countedAt: now, total: complete.identities };
  const leftOver = Math.max(complete.underOlderKeys, before.failed);
  if (leftOver > 0) {
    log("error", "re_encryption_incomplete", { count: leftOver });
    return {
      ...counted,
      ...startOfDirectory,
      phase: "walking",
      checkId: null,
      found: null,
      seen: 0,
      failed: 0,
      passes: before.passes + 1,
      leftOver,
    };
  }
  // The check has not seen what is in a database that a newer deployment has bound, or between two databases.
  await requireAllDatabases(env);
  await requireNoOpenRelocation(env);
  await retireUnneeded(db, config, checkId, complete, now);
  // A receipt that arrived meanwhile, or a version whose mark was removed, needs another check.
  if (await mayHoldOlderBoxes(db, config)) {
    await reinstateKeys(db, "sealing", olderVersionsOf(config, "sealing"));
    return await beginCheck(db, config, counted, now);
  }
  return { ...counted, checkId: null, found: null, leftOver: 0, finishedAt: now };
}
