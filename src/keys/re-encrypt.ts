/**
 * Re-encryption: seals anew, under the newest key, what older keys sealed. It works in slices, database by
 * database: first guard by guard in the order of the directory, then the receipts of kept requests. Each
 * database holds its progress, so an interrupted run can continue, and repeating a slice changes nothing.
 * Once no database has anything under an older version, that version is retired.
 */

import type { Owner } from "../crypto/seal-context.ts";
import { requireAllDatabases } from "../db/bound-shards.ts";
import type { Database } from "../db/client.ts";
import { controlDbOf, listDatabases } from "../db/shards.ts";
import type { Config } from "../env.ts";
import { resealReceipt } from "../idempotency/receipt.ts";
import type { Location } from "../location.ts";
import { log } from "../log.ts";
import { findLocations } from "../tenancy/find-locations.ts";
import { keyringOf } from "./key-check.ts";
import type { KeyringName } from "./keyring-names.ts";
import {
  findOrBeginReEncryption,
  type ReEncryption,
  saveReEncryption,
} from "./re-encryption-store.ts";
import {
  countBackupCodeSets,
  countRecordsToReseal,
  listIdentitiesAfter,
  listRequestsToReseal,
  replaceReceipt,
} from "./sealed-data-store.ts";
import { reinstateKeys, retireKeys } from "./version-store.ts";

const maxConcurrentGuards = 8;
const maxRequestsPerSlice = 100;
const startOfPass = { tenantId: "", identityId: "", seen: 0, failed: 0 };

export interface ReEncryptCall {
  readonly env: Env;
  readonly config: Config;
  /** Real time, Unix ms. */
  readonly now: number;
  /** Makes a guard seal its data anew. @returns whether all of it is now under the version of the run */
  readonly resealGuard: (
    owner: Owner,
    location: Location,
    run: { readonly version: number; readonly passes: number },
  ) => Promise<boolean>;
}

/** The progress of all databases together. */
export type Progress = Omit<ReEncryption, "tenantId" | "identityId">;

/** Adds up the progress of the databases; finished once all are. Undefined if none has begun. */
export function sumProgress(runs: readonly (ReEncryption | undefined)[]): Progress | undefined {
  const begun = runs.filter((run) => run !== undefined);
  const [first] = begun;
  if (first === undefined) return undefined;
  const sum = (count: (run: ReEncryption) => number) =>
    begun.reduce((total, run) => total + count(run), 0);
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

/** The versions of a keyring that are older than the newest. */
function olderVersionsOf(config: Config, name: KeyringName): number[] {
  const { keys, newest } = keyringOf(config, name);
  return [...keys.keys()].filter((version) => version < newest);
}

async function hasOlderBoxes(db: Database, version: number): Promise<boolean> {
  const requests = await listRequestsToReseal(db, version, 1);
  return requests.length > 0 || (await countRecordsToReseal(db, version)) > 0;
}

/**
 * Finds a database that got data under an older key after it had finished, and puts older keys back in
 * use.
 */
async function findReopened(config: Config, runs: readonly Run[]): Promise<Run | undefined> {
  for (const run of runs) {
    if (!(await hasOlderBoxes(run.db, config.sealingKeys.newest))) continue;
    await reinstateKeys(run.db, "sealing", olderVersionsOf(config, "sealing"));
    return run;
  }
  return undefined;
}

/**
 * Runs the next slice.
 * @returns the progress; finished once `finishedAt` is set
 * @throws StoreError; AppError `unavailable` if a database with tenants' data is not bound
 */
export async function reEncrypt(call: ReEncryptCall, limit: number): Promise<Progress> {
  const { env, config, now } = call;
  await requireAllDatabases(env);
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
  if (progress === undefined) throw new Error("No database is bound");
  if (progress.finishedAt === null) return progress;
  // The last database has finished, but a tenant may have moved to one of the others in the meantime.
  const others = next === undefined ? [] : runs.filter((run) => run !== next);
  const isReopened = async (some: readonly Run[]) =>
    (await findReopened(config, some)) !== undefined;
  if (await isReopened(others)) return { ...progress, finishedAt: null };
  // A newer deployment may have bound a further database in the meantime.
  await requireAllDatabases(env);
  const retired: Run[] = [];
  for (const run of runs) if (await retireOlderVersions(call, run.db)) retired.push(run);
  // Data that arrived before the retirement is found here. A later delivery puts its key back in use itself.
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
  // Another run was faster, so its progress counts.
  return await findOrBeginReEncryption(db, before.version, call.now);
}

async function runSlice(
  call: ReEncryptCall,
  db: Database,
  before: ReEncryption,
  limit: number,
): Promise<ReEncryption> {
  // Data under an older key arrived after the end, so another pass begins.
  if (before.finishedAt !== null) return { ...before, ...startOfPass, finishedAt: null };
  const owners = await listIdentitiesAfter(db, before, limit);
  const last = owners.at(-1);
  if (last === undefined) return await finishPass(call, db, before);
  const locations = await findLocations(
    controlDbOf(call.env),
    owners.map(({ tenantId }) => tenantId),
  );
  let failed = 0;
  for (let from = 0; from < owners.length; from += maxConcurrentGuards) {
    const done = await Promise.all(
      owners.slice(from, from + maxConcurrentGuards).map(async (owner) => {
        const location = locations.get(owner.tenantId);
        // Without the location, the guard would be created anew elsewhere, from the record in D1.
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

/** Ends a pass over all identities. If something is left under an older key, another pass begins. */
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
 * Retires older versions that no data needs. Keys that sign the audit trail are never retired.
 * @returns whether an older sealing key was in use until now
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
