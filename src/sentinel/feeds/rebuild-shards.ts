/**
 * Lays changed lists over the shards in force: a shard whose flags differ is made anew from the stored
 * one, which keeps its network and country; all others stay as they are.
 */
import { type BuiltShard, built, reflagged, saysSomething } from "../network/build.ts";
import { digestOf, type NamedShard, namedShards } from "../network/current-data-set.ts";
import type { Feed } from "../network/combine-feeds.ts";
import {
  decodeShard,
  type ShardId,
  type ShardRecord,
  shardKey,
  shardStart,
} from "../network/shard.ts";
import { type ChangedShard, changedShards } from "./changed-shards.ts";
import type { DataStore, KeyValue } from "./data-set.ts";
import type { RefreshProgress } from "./refresh-progress.ts";
import { LostDataError, type StoredDataSet } from "./stored-data-set.ts";

type DoneShard = RefreshProgress["shards"][number];

/** Shards in work at the same time: some megabytes at most. */
const atOnce = 20;
/** A shard is read, where there is one, and written. */
const maxOfShard = 2;

export interface Reflagging {
  /** Every shard of the data set to be; undefined: there is more to do. */
  readonly shards: readonly NamedShard[] | undefined;
  /** Shards made so far, in this run and in earlier ones. */
  readonly done: readonly DoneShard[];
  /** Reads and writes it took. */
  readonly operations: number;
}

/**
 * @param before the feeds the shards in force were made of; undefined: unknown, so all are looked at
 * @param maxOperations reads and writes of shards at most
 * @throws LostDataError, or what the store throws
 */
export async function rebuildShards(
  store: DataStore,
  stored: StoredDataSet,
  before: readonly Feed[] | undefined,
  after: readonly Feed[],
  maxOperations: number,
): Promise<Reflagging> {
  const named = stored.current === undefined ? [] : namedShards(stored.current);
  const done = new Map(
    (stored.pending?.shards ?? [])
      .filter((shard) => shard.digest === null || stored.keys.has(shardKey(shard, shard.digest)))
      .map((shard) => [placeOfShard(shard), shard]),
  );
  let operations = 0;
  const left = changedShards(named, before, after).filter(({ id }) => !done.has(placeOfShard(id)));
  while (left.length > 0 && operations + atOnce * maxOfShard <= maxOperations) {
    const batch = left.splice(0, atOnce);
    const remade = await Promise.all(batch.map((changed) => remake(store, stored, changed)));
    const written = remade.flatMap(toWrite);
    await store.write(written, () => {});
    const read = batch.filter(({ id }) => digestIn(stored, id) !== undefined);
    operations += read.length + written.length;
    for (const [index, { id }] of batch.entries()) {
      done.set(placeOfShard(id), { ...id, digest: remade[index]?.digest ?? null });
    }
  }
  const shards = left.length > 0 ? undefined : replaced(named, [...done.values()]);
  return { shards, done: [...done.values()], operations };
}

function placeOfShard({ family, number }: ShardId): string {
  return `${family}/${number}`;
}

function toWrite(shard: BuiltShard | undefined): KeyValue[] {
  return shard === undefined ? [] : [{ key: shardKey(shard, shard.digest), bytes: shard.bytes }];
}

function digestIn({ current }: StoredDataSet, id: ShardId): string | undefined {
  return current === undefined ? undefined : digestOf(current, id);
}

/** The shard with its new flags; undefined: nothing is left in it. */
async function remake(
  store: DataStore,
  stored: StoredDataSet,
  { id, flags }: ChangedShard,
): Promise<BuiltShard | undefined> {
  const records = reflagged(await recordsOf(store, stored, id), flags);
  return records.some(saysSomething) ? built(id, records) : undefined;
}

async function recordsOf(
  store: DataStore,
  stored: StoredDataSet,
  id: ShardId,
): Promise<readonly ShardRecord[]> {
  const digest = digestIn(stored, id);
  if (digest === undefined) return [{ start: shardStart(id), asn: 0, country: 0, flags: 0 }];
  const bytes = await store.read(shardKey(id, digest));
  const decoded = bytes === undefined ? undefined : decodeShard(bytes, id);
  if (decoded?.status !== "ok") throw new LostDataError("a shard is gone: import again");
  return decoded.shard.records;
}

function replaced(named: readonly NamedShard[], done: readonly DoneShard[]): NamedShard[] {
  const all = new Map(named.map((shard) => [placeOfShard(shard), shard]));
  for (const { family, number, digest } of done) {
    if (digest === null) all.delete(placeOfShard({ family, number }));
    else all.set(placeOfShard({ family, number }), { family, number, digest });
  }
  return [...all.values()];
}
