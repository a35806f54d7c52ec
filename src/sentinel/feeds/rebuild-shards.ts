/**
 * Rebuilds the shards whose flags change with the new lists. A rebuilt shard takes networks and countries
 * from the stored one; all other shards stay as they are. One run has a bound of operations; the next run
 * continues with the shards that are left.
 */
import { type BuiltShard, buildShard, hasFacts, replaceFlags } from "../network/build.ts";
import type { Feed } from "../network/combine-feeds.ts";
import { findDigest, listShards, type NamedShard } from "../network/current-data-set.ts";
import {
  decodeShard,
  type ShardId,
  type ShardRecord,
  shardKeyOf,
  shardStartOf,
} from "../network/shard.ts";
import { type ChangedShard, findChangedShards } from "./changed-shards.ts";
import type { DataStore, KeyValue } from "./data-set.ts";
import type { RefreshProgress } from "./refresh-progress.ts";
import { LostDataError, type StoredDataSet } from "./stored-data-set.ts";

type DoneShard = RefreshProgress["shards"][number];

/** Shards rebuilt at the same time: a few megabytes. */
const shardsAtOnce = 20;
/** One read, if the shard exists, and one write. */
const maxOperationsPerShard = 2;

export interface RebuildResult {
  /** Every shard of the new data set; undefined: some are still to be rebuilt. */
  readonly shards: readonly NamedShard[] | undefined;
  /** Shards rebuilt so far, in this run and in earlier ones. */
  readonly done: readonly DoneShard[];
  /** Reads and writes of this run. */
  readonly operations: number;
}

/**
 * @param before the feeds that the shards in force were built from; undefined: unknown, so all shards count
 * as changed
 * @param maxOperations upper bound of reads and writes of shards
 * @throws LostDataError, or what the store throws
 */
export async function rebuildShards(
  store: DataStore,
  stored: StoredDataSet,
  before: readonly Feed[] | undefined,
  after: readonly Feed[],
  maxOperations: number,
): Promise<RebuildResult> {
  const named = stored.current === undefined ? [] : listShards(stored.current);
  const done = new Map(
    (stored.pending?.shards ?? [])
      .filter((shard) => shard.digest === null || stored.keys.has(shardKeyOf(shard, shard.digest)))
      .map((shard) => [shardPathOf(shard), shard]),
  );
  let operations = 0;
  const left = findChangedShards(named, before, after).filter(
    ({ id }) => !done.has(shardPathOf(id)),
  );
  while (left.length > 0 && operations + shardsAtOnce * maxOperationsPerShard <= maxOperations) {
    const batch = left.splice(0, shardsAtOnce);
    const rebuilt = await Promise.all(batch.map((changed) => rebuildShard(store, stored, changed)));
    const written = rebuilt.flatMap(keyValuesOf);
    await store.write(written, () => {});
    const read = batch.filter(({ id }) => currentDigestOf(stored, id) !== undefined);
    operations += read.length + written.length;
    for (const [index, { id }] of batch.entries()) {
      done.set(shardPathOf(id), { ...id, digest: rebuilt[index]?.digest ?? null });
    }
  }
  const shards = left.length > 0 ? undefined : replaceShards(named, [...done.values()]);
  return { shards, done: [...done.values()], operations };
}

function shardPathOf({ family, number }: ShardId): string {
  return `${family}/${number}`;
}

function keyValuesOf(shard: BuiltShard | undefined): KeyValue[] {
  return shard === undefined ? [] : [{ key: shardKeyOf(shard, shard.digest), bytes: shard.bytes }];
}

function currentDigestOf({ current }: StoredDataSet, id: ShardId): string | undefined {
  return current === undefined ? undefined : findDigest(current, id);
}

/** The shard with its new flags; undefined: it has no facts any more. */
async function rebuildShard(
  store: DataStore,
  stored: StoredDataSet,
  { id, flags }: ChangedShard,
): Promise<BuiltShard | undefined> {
  const records = replaceFlags(await readRecords(store, stored, id), flags);
  return records.some(hasFacts) ? buildShard(id, records) : undefined;
}

async function readRecords(
  store: DataStore,
  stored: StoredDataSet,
  id: ShardId,
): Promise<readonly ShardRecord[]> {
  const digest = currentDigestOf(stored, id);
  if (digest === undefined) return [{ start: shardStartOf(id), asn: 0, country: 0, flags: 0 }];
  const bytes = await store.read(shardKeyOf(id, digest));
  const decoded = bytes === undefined ? undefined : decodeShard(bytes, id);
  if (decoded?.status !== "ok")
    throw new LostDataError("a shard is gone or damaged: run the import again");
  return decoded.shard.records;
}

function replaceShards(named: readonly NamedShard[], done: readonly DoneShard[]): NamedShard[] {
  const all = new Map(named.map((shard) => [shardPathOf(shard), shard]));
  for (const { family, number, digest } of done) {
    if (digest === null) all.delete(shardPathOf({ family, number }));
    else all.set(shardPathOf({ family, number }), { family, number, digest });
  }
  return [...all.values()];
}
