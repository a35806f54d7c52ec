/**
 * Re-encryption: seals anew, under the newest key, what older keys sealed. It works in slices, database by
 * database: it counts the identities, lets guard by guard seal its data in the order of the directory, and then
 * checks that no record needs an older key (see check-records.ts). A slice takes a bounded number of queries,
 * however many identities there are. Each database holds its progress, so an interrupted run can continue, and
 * repeating a slice changes nothing. A version is retired in each database by itself, and is unused once it is
 * retired in all.
 */

import type { Owner } from "../crypto/seal-context.ts";
import { requireAllDatabases } from "../db/bound-shards.ts";
import type { Database } from "../db/client.ts";
import { controlDbOf, listDatabases } from "../db/shards.ts";
import type { Config } from "../env.ts";
import type { Location } from "../location.ts";
import { findLocations } from "../tenancy/find-locations.ts";
import {
  advanceCount,
  beginCheck,
  type CountBounds,
  continueCheck,
  defaultCountBounds,
  mayHoldOlderBoxes,
  mayRetireKeys,
} from "./check-records.ts";
import {
  findOrBeginReEncryption,
  type ReEncryption,
  saveReEncryption,
} from "./re-encryption-store.ts";
import { listIdentitiesAfter } from "./sealed-data-store.ts";

const maxConcurrentGuards = 8;

export interface ReEncryptCall {
  readonly env: Env;
  readonly config: Config;
  /** Real time, Unix ms. */
  readonly now: number;
  readonly bounds?: CountBounds;
  /** Makes a guard seal its data anew. @returns whether all of it is now under the version of the run */
  readonly resealGuard: (
    owner: Owner,
    location: Location,
    run: { readonly version: number; readonly passes: number },
  ) => Promise<boolean>;
}

/** The progress of all databases together. */
export type Progress = Pick<
  ReEncryption,
  "version" | "total" | "seen" | "failed" | "passes" | "leftOver" | "startedAt" | "finishedAt"
>;

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
  readonly state: ReEncryption;
}

/** Saves the progress of a slice. If another run was faster, its progress counts. */
async function save(call: ReEncryptCall, { db, state }: Run, after: ReEncryption): Promise<Run> {
  if (after === state || (await saveReEncryption(db, state, after))) return { db, state: after };
  return { db, state: await findOrBeginReEncryption(db, state.version, call.now) };
}

/** Counts the identities of all databases, which the progress states, before the first guard is called. */
async function countFirst(call: ReEncryptCall, runs: readonly Run[]): Promise<Run[]> {
  const bounds = call.bounds ?? defaultCountBounds;
  let left = bounds.rangesPerRequest;
  const after: Run[] = [];
  for (const run of runs) {
    if (run.state.phase !== "counting" || left <= 0) {
      after.push(run);
      continue;
    }
    const counted = await advanceCount(run.db, run.state, { ...bounds, rangesPerRequest: left });
    left -= counted.ranges;
    const total = counted.run.found?.identities ?? 0;
    const walking = { phase: "walking", tenantId: "", identityId: "", found: null } as const;
    const isComplete = counted.complete !== undefined;
    after.push(await save(call, run, { ...counted.run, total, ...(isComplete ? walking : {}) }));
  }
  return after;
}

/** Starts a check in each finished database that may hold data under an older key, or was never counted. */
async function reopen(call: ReEncryptCall, runs: readonly Run[]): Promise<Run[]> {
  const after: Run[] = [];
  for (const run of runs) {
    const isDue = run.state.counts === null || (await mayRetireKeys(run.db, call.config));
    after.push(
      isDue
        ? await save(call, run, await beginCheck(run.db, call.config, run.state, call.now))
        : run,
    );
  }
  return after;
}

/** Lets the next guards seal their data anew; after the last one the check begins. */
async function walk(call: ReEncryptCall, { db, state }: Run, limit: number): Promise<ReEncryption> {
  const owners = await listIdentitiesAfter(db, state, limit);
  const last = owners.at(-1);
  if (last === undefined) return await beginCheck(db, call.config, state, call.now);
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
        return location !== undefined && (await call.resealGuard(owner, location, state));
      }),
    );
    failed += done.filter((isDone) => !isDone).length;
  }
  return { ...state, ...last, seen: state.seen + owners.length, failed: state.failed + failed };
}

/** Runs the next slice of one database: guards, or ranges of records. */
async function runSlice(call: ReEncryptCall, run: Run, limit: number): Promise<Run> {
  const next =
    run.state.phase === "walking" ? await save(call, run, await walk(call, run, limit)) : run;
  // The slice after the last guard begins the check and counts at once.
  if (next.state.phase !== "checking") return next;
  return await save(call, next, await continueCheck(call, next.db, next.state));
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
  const found = await Promise.all(
    listDatabases(env).map(async (db) => ({
      db,
      state: await findOrBeginReEncryption(db, version, now),
    })),
  );
  let runs = await countFirst(call, found);
  if (runs.some(({ state }) => state.phase === "counting")) return progressOf(runs);
  if (runs.every(({ state }) => state.finishedAt !== null)) runs = await reopen(call, runs);
  const next = runs.find(({ state }) => state.finishedAt === null);
  const after: Run[] = [];
  for (const run of runs) after.push(run === next ? await runSlice(call, run, limit) : run);
  const progress = progressOf(after);
  if (progress.finishedAt === null) return progress;
  // The last database has finished, but a tenant may have moved to one of the others in the meantime.
  for (const { db } of after) {
    if (await mayHoldOlderBoxes(db, config)) return { ...progress, finishedAt: null };
  }
  return progress;
}

function progressOf(runs: readonly Run[]): Progress {
  const progress = sumProgress(runs.map(({ state }) => state));
  if (progress === undefined) throw new Error("No database is bound");
  return progress;
}
