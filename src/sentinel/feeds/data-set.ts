/**
 * Puts a data set in force. First everything it needs is written, under keys that name their content,
 * so nothing that is in use is overwritten; then `current` is, in one write, and a reader sees the old
 * data set or the new one, whole. Who dies half-way has changed nothing, and who tries again writes
 * only what is missing.
 *
 * What nothing names any more is removed two days later: isolates lead to it for a day (lookup.ts).
 */
import { z } from "zod";
import type { BuiltShard } from "../network/build.ts";
import { currentKey, type NamedShard } from "../network/current-data-set.ts";
import { isShardKey, networkKeyPrefix, shardKeyOf } from "../network/shard.ts";
import { type FeedList, feedListKey, serializeFeedList } from "./feed-record.ts";
import { feedValueKey, feedValuePrefix } from "./feed-value.ts";

export interface KeyValue {
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** KV as a writer needs it: the binding of a Worker, or what a person's machine reaches. */
export interface DataStore {
  list(prefix: string): Promise<Set<string>>;
  read(key: string): Promise<Uint8Array | undefined>;
  /** `onProgress` is told how many of the values are written. */
  write(values: readonly KeyValue[], onProgress: (done: number) => void): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

export interface DataSet {
  /** Every shard of the data set; those without bytes are in the store already. */
  readonly shards: readonly (NamedShard & Partial<Pick<BuiltShard, "bytes">>)[];
  /** The value of `current` that names them. */
  readonly current: Uint8Array<ArrayBuffer>;
  /** Ranges of feeds, for those whose digest may be new. */
  readonly feedValues: readonly {
    readonly name: string;
    readonly digest: string;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }[];
  readonly list: FeedList;
}

export interface Published {
  /** Shards written now, and those that were there. */
  readonly written: number;
  readonly unchanged: number;
  readonly removed: number;
  /** False: more had to be written than was allowed; the data set before is still in force. */
  readonly complete: boolean;
}

const retiredKey = `${networkKeyPrefix}retired`;
/** Longer than an isolate follows an older data set. */
const minRetiredMs = 48 * 60 * 60 * 1000;

/** Since when nothing names a key, Unix ms. */
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
    // Then everything unnamed is retired anew, and lives two days longer.
    return {};
  }
}

function isNamedByContent(key: string): boolean {
  return isShardKey(key) || key.startsWith(feedValuePrefix);
}

/** Removes what nothing has named for two days, or a part of it. @returns how many keys */
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
  const gone = new Set(unnamed.filter(isDue).slice(0, maxRemoved));
  const waiting = unnamed.filter((key) => !gone.has(key));
  const retired = Object.fromEntries(waiting.map((key) => [key, since(key)]));
  if (gone.size > 0) await store.remove([...gone]);
  if (JSON.stringify(retired) !== JSON.stringify(before)) {
    await store.write([textValueOf(retiredKey, JSON.stringify(retired))], () => {});
  }
  return gone.size;
}

/**
 * @param now real time, Unix ms
 * @param maxWrites shards written, and keys removed, at most; what is left is for the next call
 * @throws what the store throws; nothing is in force then that was not before
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
    .map(({ name, digest, bytes }) => ({ key: feedValueKey(name, digest), bytes }))
    .filter(({ key }) => !listed.has(key));
  await store.write(values, () => {});
  await store.write([{ key: currentKey, bytes: current }], () => {});
  await store.write([textValueOf(feedListKey, serializeFeedList(list))], () => {});
  const inUse = new Set([
    ...shards.map((shard) => shardKeyOf(shard, shard.digest)),
    ...list.feeds.flatMap(({ name, value }) => (value === null ? [] : feedValueKey(name, value))),
  ]);
  return {
    ...counts,
    removed: await removeRetired(store, listed, inUse, now, maxWrites),
    complete: true,
  };
}
