/** What a refresh makes of the lists it took: new shards, and a new table of threats. */
import { type NamedShard, listShards } from "../network/current-data-set.ts";
import type { Feed } from "../network/combine-feeds.ts";
import { buildThreatTable, threatTableBytesOf } from "../network/threats.ts";
import type { DataStore, KeyValue } from "./data-set.ts";
import { rebuildShards } from "./rebuild-shards.ts";
import { type FeedRecord, emptyRecordOf, addError, mergeRecords } from "./feed-record.ts";
import { baseDigestOf, type RefreshProgress, destinationOf } from "./refresh-progress.ts";
import { LostDataError, readRanges, type StoredDataSet } from "./stored-data-set.ts";
import { feedValueKey } from "./feed-value.ts";

/** What a part of a run works with. */
export interface RefreshRun {
  readonly store: DataStore;
  readonly stored: StoredDataSet;
  /** Ranges of the lists taken in this run. */
  readonly values: readonly KeyValue[];
  /** Real time, Unix ms. */
  readonly now: number;
  /** Reads and writes of shards at most. */
  readonly maxOperations: number;
}

/** Records of feeds as they are to be listed. */
interface AppliedLists {
  /** Those that come into force with it. */
  readonly inForce: readonly FeedRecord[];
  /** Those that could not be used, with the reason. */
  readonly failed: readonly FeedRecord[];
}

export interface AppliedShards extends AppliedLists {
  readonly shards: readonly NamedShard[];
  /** Where it stands; the next run goes on with what is not in force by then. */
  readonly pending: RefreshProgress;
  readonly operations: number;
}

export interface AppliedThreats extends AppliedLists {
  readonly table: ReturnType<typeof buildThreatTable>;
}

/** Lays the taken lists, or those an earlier run took, over the shards. */
export async function applyToShards(
  work: RefreshRun,
  accepted: readonly FeedRecord[],
): Promise<AppliedShards> {
  const { store, stored, now } = work;
  const taken = stored.pending?.feeds.length ? stored.pending.feeds : accepted;
  const shards = stored.current === undefined ? [] : listShards(stored.current);
  const nothing = { at: now, base: baseDigestOf(stored.list), feeds: [], shards: [] };
  const unchanged = { shards, inForce: [], failed: [], pending: nothing, operations: 0 };
  if (taken.length === 0) return unchanged;
  const begun = { ...nothing, feeds: [...taken], shards: [...(stored.pending?.shards ?? [])] };
  try {
    await saveValues(work, accepted);
    const after = await readRanges(
      store,
      selectShardFeeds(mergeRecords(stored.list.feeds, taken)),
      work.values,
    );
    const before = await readRangesInForce(work);
    const made = await rebuildShards(store, stored, before, after, work.maxOperations);
    const pending = { ...begun, shards: [...made.done] };
    const { operations } = made;
    if (made.shards === undefined) return { ...unchanged, pending, operations };
    return { shards: made.shards, inForce: taken, failed: [], pending, operations };
  } catch (error) {
    return { ...unchanged, failed: recordFailure(error, work, taken, now) };
  }
}

async function saveValues(work: RefreshRun, records: readonly FeedRecord[]): Promise<void> {
  const wanted = new Set(
    records.map(({ name, value }) => (value === null ? "" : feedValueKey(name, value))),
  );
  const missing = ({ key }: KeyValue) => wanted.has(key) && !work.stored.keys.has(key);
  await work.store.write(work.values.filter(missing), () => {});
}

function selectShardFeeds(records: readonly FeedRecord[]): FeedRecord[] {
  return records.filter((record) => destinationOf(record) === "shards");
}

/** Of the shards in force; undefined where a list is lost that was replaced just now. */
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

/** Makes the table anew where a list of it was taken; else it is the one in force. */
export async function applyToThreats(
  work: RefreshRun,
  accepted: readonly FeedRecord[],
): Promise<AppliedThreats> {
  const { store, stored, values, now } = work;
  const unchanged = { table: copyTableInForce(stored), inForce: [], failed: [] };
  if (accepted.length === 0) return unchanged;
  const records = mergeRecords(stored.list.feeds, accepted).filter(
    (record) => destinationOf(record) === "threats",
  );
  try {
    const table = buildThreatTable(await readRanges(store, records, values));
    await saveValues(work, accepted);
    return { table, inForce: accepted, failed: [] };
  } catch (error) {
    return { ...unchanged, failed: recordFailure(error, work, accepted, now) };
  }
}

function copyTableInForce({ current }: StoredDataSet): ReturnType<typeof buildThreatTable> {
  if (current === undefined) return buildThreatTable([]);
  const { offset, v4, v6 } = current.threats;
  const bytes = new Uint8Array(threatTableBytesOf(v4, v6));
  bytes.set(current.bytes.subarray(offset, offset + bytes.length));
  return { bytes, v4, v6 };
}

/** The taken lists stay out of force, and the one that is lost tells of it. @throws other errors */
function recordFailure(
  error: unknown,
  { stored }: RefreshRun,
  taken: readonly FeedRecord[],
  now: number,
): FeedRecord[] {
  if (!(error instanceof LostDataError)) throw error;
  const known = new Map(stored.list.feeds.map((record) => [record.name, record]));
  const lost = error.feed === undefined ? undefined : known.get(error.feed);
  return mergeRecords(
    taken.map((record) => known.get(record.name) ?? emptyRecordOf(record)),
    lost === undefined ? [] : [lost],
  ).map((record) => addError(record, error.message, now));
}
