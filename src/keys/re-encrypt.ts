/**
 * Sealing anew what older keys sealed, a slice at a time: guard by guard in the order of the directory,
 * then the kept requests of D1; database by database, where there are several. Where it stands is in each
 * of them, so it goes on after whatever ended it; a slice that is done twice changes nothing. Once nothing
 * is left under them anywhere, older versions are retired.
 */

import type { Owner } from "../crypto/seal-context.ts";
import type { Database } from "../db/client.ts";
import { listDatabases, controlDb } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import type { Location } from "../location.ts";
import { log } from "../log.ts";
import { findLocations } from "../tenancy/find-locations.ts";
import { keyringOf } from "./key-check.ts";
import type { KeyringName } from "./keyring-names.ts";
import {
  countBackupCodeSets,
  countRecordsToReseal,
  listIdentitiesAfter,
  findOrBeginReEncryption,
  type ReEncryption,
  replaceReceipt,
  listRequestsToReseal,
  retireKeys,
  reinstateKeys,
  saveReEncryption,
} from "./store.ts";

/** Guards asked at once. */
const maxConcurrentGuards = 8;
const maxRequestsPerSlice = 100;
const startOfPass = { tenantId: "", identityId: "", seen: 0, failed: 0 };

export interface ReEncryptCall {
  readonly env: Env;
  readonly config: Config;
  /** Real time, Unix ms. */
  readonly now: number;
  /**
   * Has a guard seal anew what it holds. @returns whether all of it is under the version of the run now
   */
  readonly resealGuard: (
    owner: Owner,
    location: Location,
    run: { readonly version: number; readonly passes: number },
  ) => Promise<boolean>;
}

/** How far all databases together have come. */
export type Progress = Omit<ReEncryption, "tenantId" | "identityId">;

/** @returns finished only once all are. Undefined where none has begun. */
export function sumProgress(runs: readonly (ReEncryption | undefined)[]): Progress | undefined {
  const begun = runs.filter((run) => run !== undefined);
  const [first] = begun;
  if (first === undefined) return undefined;
  const sum = (of: (run: ReEncryption) => number) =>
    begun.reduce((total, run) => total + of(run), 0);
  const ends = begun.flatMap(({ finishedAt }) => finishedAt ?? []);
  return {
    version: first.version,
    total: sum(({ total }) => total),
    seen: sum(({ seen }) => seen),
    failed: sum(({ failed }) => failed),
    passes: Math.max(...begun.map(({ passes }) => passes)),
    leftOver: sum(({ leftOver }) => leftOver),
    startedAt: Math.min(...begun.map(({ startedAt }) => startedAt)),
    finishedAt: ends.length === runs.length ? Math.max(...ends) : null,
  };
}

interface Run {
  readonly db: Database;
  readonly before: ReEncryption;
}

/** Versions of a ring before the newest. */
function olderVersionsOf(config: Config, name: KeyringName): number[] {
  const { keys, newest } = keyringOf(config, name);
  return [...keys.keys()].filter((version) => version < newest);
}

async function hasOlderBoxes(db: Database, version: number): Promise<boolean> {
  const requests = await listRequestsToReseal(db, version, 1);
  return requests.length > 0 || (await countRecordsToReseal(db, version)) > 0;
}

/** Where something under an older key arrived after the end. No older key counts as retired there. */
async function findReopened(config: Config, runs: readonly Run[]): Promise<Run | undefined> {
  for (const run of runs) {
    if (!(await hasOlderBoxes(run.db, config.sealingKeys.newest))) continue;
    await reinstateKeys(run.db, "sealing", olderVersionsOf(config, "sealing"));
    return run;
  }
  return undefined;
}

/** Does the next slice. @returns how far it has come; finished once `finishedAt` is set. @throws StoreError */
export async function reEncrypt(call: ReEncryptCall, limit: number): Promise<Progress> {
  const { env, config, now } = call;
  const { newest: version } = config.sealingKeys;
  const runs = await Promise.all(
    listDatabases(env).map(async (db) => ({
      db,
      before: await findOrBeginReEncryption(db, version, now),
    })),
  );
  const next =
    runs.find(({ before }) => before.finishedAt === null) ?? (await findReopened(config, runs));
  const after: ReEncryption[] = [];
  for (const run of runs)
    after.push(run === next ? await runAndSaveSlice(call, run, limit) : run.before);
  const progress = sumProgress(after);
  if (progress === undefined) throw new Error("There is no database");
  if (progress.finishedAt === null) return progress;
  // The last one is done; a tenant may have moved to one of the others meanwhile.
  const others = next === undefined ? [] : runs.filter((run) => run !== next);
  const isReopened = async (some: readonly Run[]) =>
    (await findReopened(config, some)) !== undefined;
  if (await isReopened(others)) return { ...progress, finishedAt: null };
  const retired: Run[] = [];
  for (const run of runs) if (await retireOlderVersions(call, run.db)) retired.push(run);
  // What arrived before that is counted now; what comes after it has its key in use again by itself.
  return (await isReopened(retired)) ? { ...progress, finishedAt: null } : progress;
}

async function runAndSaveSlice(
  call: ReEncryptCall,
  run: Run,
  limit: number,
): Promise<ReEncryption> {
  const { db, before } = run;
  const after = await runSlice(call, db, before, limit);
  if (await saveReEncryption(db, before, after)) return after;
  // Another runner was faster: what it saved is where things stand.
  return await findOrBeginReEncryption(db, before.version, call.now);
}

async function runSlice(
  call: ReEncryptCall,
  db: Database,
  before: ReEncryption,
  limit: number,
): Promise<ReEncryption> {
  // Something under an older key arrived after the end: all is looked at once more.
  if (before.finishedAt !== null) return { ...before, ...startOfPass, finishedAt: null };
  const owners = await listIdentitiesAfter(db, before, limit);
  const last = owners.at(-1);
  if (last === undefined) return await finishPass(call, db, before);
  const locations = await findLocations(
    controlDb(call.env),
    owners.map(({ tenantId }) => tenantId),
  );
  let failed = 0;
  for (let from = 0; from < owners.length; from += maxConcurrentGuards) {
    const done = await Promise.all(
      owners.slice(from, from + maxConcurrentGuards).map(async (owner) => {
        const location = locations.get(owner.tenantId);
        // Asked for at the wrong place, a guard would be made there, of the record in D1.
        return location !== undefined && (await call.resealGuard(owner, location, before));
      }),
    );
    failed += done.filter((isDone) => !isDone).length;
  }
  return {
    ...before,
    ...last,
    seen: before.seen + owners.length,
    failed: before.failed + failed,
  };
}

/** All identities were seen. What is left over makes another pass. */
async function finishPass(
  call: ReEncryptCall,
  db: Database,
  before: ReEncryption,
): Promise<ReEncryption> {
  const { sealingKeys } = call.config;
  const requests = await listRequestsToReseal(db, before.version, maxRequestsPerSlice);
  for (const request of requests) {
    const { tenantId, key, box } = request;
    const owner = { tenantId, identityId: "" };
    await replaceReceipt(db, request, await resealReceipt(sealingKeys, owner, key, box));
  }
  if (requests.length === maxRequestsPerSlice) return before;
  const left = await countRecordsToReseal(db, before.version);
  if (before.failed === 0 && left === 0) return { ...before, leftOver: 0, finishedAt: call.now };
  const leftOver = Math.max(left, before.failed);
  log("error", "re_encryption_incomplete", { count: leftOver });
  return { ...before, ...startOfPass, passes: before.passes + 1, leftOver };
}

/**
 * Versions before the newest that nothing needs any more. Those that sign the trail are kept for ever.
 * @returns whether sealing keys were in use until now
 */
async function retireOlderVersions({ config, now }: ReEncryptCall, db: Database): Promise<boolean> {
  const sets = await countBackupCodeSets(db);
  const unused = olderVersionsOf(config, "backup_codes").filter((version) => !sets.has(version));
  if (await retireKeys(db, "backup_codes", unused, now)) {
    const late = await countBackupCodeSets(db);
    await reinstateKeys(
      db,
      "backup_codes",
      unused.filter((version) => late.has(version)),
    );
  }
  return await retireKeys(db, "sealing", olderVersionsOf(config, "sealing"), now);
}
