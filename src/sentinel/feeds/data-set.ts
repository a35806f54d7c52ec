/**
 * Puts a data set in force. First every value that it needs is written, under keys that contain a digest of the
 * value, so nothing in use is overwritten. Then `current` is written, in one operation: a reader sees the old
 * data set or the new one, never a mixture. A writer that ends before that has changed nothing, and a retry
 * writes only the values that are missing.
 *
 * Values that no data set names any more are deleted two days later, because isolates may use an older data
 * set for a day (network/lookup.ts).
 */
import { z } from "zod";
import type { BuiltShard } from "../network/build.ts";
import { currentKey, type NamedShard } from "../network/current-data-set.ts";
import { isShardKey, networkKeyPrefix, shardKeyOf } from "../network/shard.ts";
import { type FeedList, feedListKey, serializeFeedList } from "./feed-record.ts";
import { feedValueKeyOf, feedValuePrefix } from "./feed-value.ts";

export interface KeyValue {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** KV as a writer needs it: the binding of a Worker, or the API that a script calls. */
export interface DataStore {
  list(prefix: string): Promise<Set<string>>;
  read(key: string): Promise<Uint8Array | undefined>;
  /** Calls `onProgress` with the number of values written so far. */
  write(values: readonly KeyValue[], onProgress: (done: number) => void): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

export interface DataSet {
  /** Every shard of the data set. A shard without bytes is in the store already. */
  readonly shards: readonly (NamedShard & Partial<Pick<BuiltShard, "bytes">>)[];
  /** The value of `current` that names them. */
  readonly current: Uint8Array<ArrayBuffer>;
  /** The ranges of the feeds whose digest may be new. */
  readonly feedValues: readonly {
    readonly name: string;
    readonly digest: string;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }[];
  readonly list: FeedList;
}

export interface Published {
  /** Shards that were written, and shards that the store had already. */
  readonly written: number;
  readonly unchanged: number;
  readonly removed: number;
  /** False: the limit of writes was reached, and the previous data set is still in force. */
  readonly complete: boolean;
}

export const retiredKey = `${networkKeyPrefix}retired`;
/** Longer than an isolate uses an older data set. */
const minRetiredMs = 48 * 60 * 60 * 1000;

/** By key: since when no data set names it, Unix ms. */
const retiredSchema = z.record(z.string(), z.int());

function textValueOf(key: string, text: string): KeyValue {
  return { key, bytes: new TextEncoder().encode(text) };
}

async function readRetired(store: DataStore): Promise<Record<string, number>> {
  const bytes = await store.read(retiredKey);
  if (bytes === undefined) return {};
  try {
    return retiredSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    // Every unnamed key then counts as retired from now on, and stays two days longer.
    return {};
  }
}

function isNamedByContent(key: string): boolean {
  return isShardKey(key) || key.startsWith(feedValuePrefix);
}

/** Deletes keys that nothing has named for two days, up to a limit. @returns how many were deleted */
async function removeRetired(
  store: DataStore,
  listed: ReadonlySet<string>,
  inUse: ReadonlySet<string>,
  now: number,
  maxRemoved: number,
): Promise<number> {
  const before = await readRetired(store);
  const unnamed = [...listed].filter((key) => isNamedByContent(key) && !inUse.has(key));
  const since = (key: string) => before[key] ?? now;
  const isDue = (key: string) => now - since(key) >= minRetiredMs;
  const deleted = new Set(unnamed.filter(isDue).slice(0, maxRemoved));
  const waiting = unnamed.filter((key) => !deleted.has(key));
  const retired = Object.fromEntries(waiting.map((key) => [key, since(key)]));
  if (deleted.size > 0) await store.remove([...deleted]);
  if (JSON.stringify(retired) !== JSON.stringify(before)) {
    await store.write([textValueOf(retiredKey, JSON.stringify(retired))], () => {});
  }
  return deleted.size;
}

/**
 * @param now real time, Unix ms
 * @param maxWrites upper bound of shards written and of keys deleted; the next call continues
 * @throws what the store throws; the previous data set is then still in force, or the new one already is
 */
export async function putInForce(
  store: DataStore,
  { shards, current, feedValues, list }: DataSet,
  now: number,
  maxWrites: number,
  onProgress: (done: number, of: number) => void,
): Promise<Published> {
  const listed = await store.list(networkKeyPrefix);
  const missing = shards.flatMap((shard): KeyValue[] => {
    const key = shardKeyOf(shard, shard.digest);
    return shard.bytes === undefined || listed.has(key) ? [] : [{ key, bytes: shard.bytes }];
  });
  const allowed = missing.slice(0, maxWrites);
  await store.write(allowed, (done) => onProgress(done, allowed.length));
  const counts = { written: allowed.length, unchanged: shards.length - missing.length };
  if (allowed.length < missing.length) return { ...counts, removed: 0, complete: false };
  const values = feedValues
    .map(({ name, digest, bytes }) => ({ key: feedValueKeyOf(name, digest), bytes }))
    .filter(({ key }) => !listed.has(key));
  await store.write(values, () => {});
  await store.write([{ key: currentKey, bytes: current }], () => {});
  await store.write([textValueOf(feedListKey, serializeFeedList(list))], () => {});
  const inUse = new Set([
    ...shards.map((shard) => shardKeyOf(shard, shard.digest)),
    ...list.feeds.flatMap(({ name, value }) => (value === null ? [] : feedValueKeyOf(name, value))),
  ]);
  return {
    ...counts,
    removed: await removeRetired(store, listed, inUse, now, maxWrites),
    complete: true,
  };
}
