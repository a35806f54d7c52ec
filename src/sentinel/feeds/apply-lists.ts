/** Applies accepted lists to the data set: rebuilds shards, and builds a new table of threats. */

import type { Feed } from "../network/combine-feeds.ts";
import { listShards, type NamedShard } from "../network/current-data-set.ts";
import { buildThreatTable, threatTableBytesOf } from "../network/threats.ts";
import type { DataStore, KeyValue } from "./data-set.ts";
import { addError, emptyRecordOf, type FeedRecord, mergeRecords } from "./feed-record.ts";
import { feedValueKeyOf } from "./feed-value.ts";
import { rebuildShards } from "./rebuild-shards.ts";
import { baseDigestOf, destinationOf, type RefreshProgress } from "./refresh-progress.ts";
import { LostDataError, readRanges, type StoredDataSet } from "./stored-data-set.ts";

/** What every step of one refresh needs. */
export interface RefreshRun {
  readonly store: DataStore;
  readonly stored: StoredDataSet;
  /** The ranges of the lists accepted in this run. */
  readonly values: readonly KeyValue[];
  /** Real time, Unix ms. */
  readonly now: number;
  /** Upper bound of reads and writes of shards. */
  readonly maxOperations: number;
}

/** The records of the feeds, as they are to be listed. */
interface AppliedLists {
  /** Feeds that come into force with the new data set. */
  readonly inForce: readonly FeedRecord[];
  /** Feeds that could not be applied, with the error. */
  readonly failed: readonly FeedRecord[];
}

export interface AppliedShards extends AppliedLists {
  readonly shards: readonly NamedShard[];
  /** The progress, from which the next run continues. */
  readonly pending: RefreshProgress;
  readonly operations: number;
}

export interface AppliedThreats extends AppliedLists {
  readonly table: ReturnType<typeof buildThreatTable>;
}

/** Rebuilds shards from the accepted lists, or from those of an earlier run that is not finished. */
export async function applyToShards(
  run: RefreshRun,
  accepted: readonly FeedRecord[],
): Promise<AppliedShards> {
  const { store, stored, now } = run;
  const applied = stored.pending?.feeds.length ? stored.pending.feeds : accepted;
  const shards = stored.current === undefined ? [] : listShards(stored.current);
  const nothing = { at: now, base: baseDigestOf(stored.list), feeds: [], shards: [] };
  const unchanged = { shards, inForce: [], failed: [], pending: nothing, operations: 0 };
  if (applied.length === 0) return unchanged;
  const begun = { ...nothing, feeds: [...applied], shards: [...(stored.pending?.shards ?? [])] };
  try {
    await saveValues(run, accepted);
    const after = await readRanges(
      store,
      selectShardFeeds(mergeRecords(stored.list.feeds, applied)),
      run.values,
    );
    const before = await readRangesInForce(run);
    const rebuilt = await rebuildShards(store, stored, before, after, run.maxOperations);
    const pending = { ...begun, shards: [...rebuilt.done] };
    const { operations } = rebuilt;
    if (rebuilt.shards === undefined) return { ...unchanged, pending, operations };
    return { shards: rebuilt.shards, inForce: applied, failed: [], pending, operations };
  } catch (error) {
    return { ...unchanged, failed: recordFailure(error, run, applied, now) };
  }
}

async function saveValues(run: RefreshRun, records: readonly FeedRecord[]): Promise<void> {
  const wanted = new Set(
    records.map(({ name, value }) => (value === null ? "" : feedValueKeyOf(name, value))),
  );
  const missing = ({ key }: KeyValue) => wanted.has(key) && !run.stored.keys.has(key);
  await run.store.write(run.values.filter(missing), () => {});
}

function selectShardFeeds(records: readonly FeedRecord[]): FeedRecord[] {
  return records.filter((record) => destinationOf(record) === "shards");
}

/** The feeds that the shards in force were built from; undefined if the ranges of one are lost. */
async function readRangesInForce({
  store,
  stored,
}: RefreshRun): Promise<readonly Feed[] | undefined> {
  try {
    return await readRanges(store, selectShardFeeds(stored.list.feeds), []);
  } catch (error) {
    if (error instanceof LostDataError) return undefined;
    throw error;
  }
}

/** Builds the table of threats again if one of its lists was accepted; otherwise keeps the one in force. */
export async function applyToThreats(
  run: RefreshRun,
  accepted: readonly FeedRecord[],
): Promise<AppliedThreats> {
  const { store, stored, values, now } = run;
  const unchanged = { table: copyTableInForce(stored), inForce: [], failed: [] };
  if (accepted.length === 0) return unchanged;
  const records = mergeRecords(stored.list.feeds, accepted).filter(
    (record) => destinationOf(record) === "threats",
  );
  try {
    const table = buildThreatTable(await readRanges(store, records, values));
    await saveValues(run, accepted);
    return { table, inForce: accepted, failed: [] };
  } catch (error) {
    return { ...unchanged, failed: recordFailure(error, run, accepted, now) };
  }
}

function copyTableInForce({ current }: StoredDataSet): ReturnType<typeof buildThreatTable> {
  if (current === undefined) return buildThreatTable([]);
  const { offset, v4, v6 } = current.threats;
  const bytes = new Uint8Array(threatTableBytesOf(v4, v6));
  bytes.set(current.bytes.subarray(offset, offset + bytes.length));
  return { bytes, v4, v6 };
}

/**
 * Adds the error to the records of lists that do not come into force, and of the feed with lost ranges. @throws
 * other errors
 */
function recordFailure(
  error: unknown,
  { stored }: RefreshRun,
  applied: readonly FeedRecord[],
  now: number,
): FeedRecord[] {
  if (!(error instanceof LostDataError)) throw error;
  const known = new Map(stored.list.feeds.map((record) => [record.name, record]));
  const lost = error.feed === undefined ? undefined : known.get(error.feed);
  return mergeRecords(
    applied.map((record) => known.get(record.name) ?? emptyRecordOf(record)),
    lost === undefined ? [] : [lost],
  ).map((record) => addError(record, error.message, now));
}
