/** Data sets, a store that records its writes and can fail at each, and the answers that a reader finds. */
import {
  type DataSet,
  type DataStore,
  type KeyValue,
  putInForce,
} from "../../../src/sentinel/feeds/data-set.ts";
import type { FeedRecord } from "../../../src/sentinel/feeds/feed-record.ts";
import { encodeFeedValue } from "../../../src/sentinel/feeds/feed-value.ts";
import { buildShards, type Geography } from "../../../src/sentinel/network/build.ts";
import type { Feed } from "../../../src/sentinel/network/combine-feeds.ts";
import { encodeCurrent } from "../../../src/sentinel/network/current-data-set.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import { buildThreatTable } from "../../../src/sentinel/network/threats.ts";
import {
  addressOf,
  feedOf,
  fetchedAllAt,
  geographyOf,
  NOW,
  WatchedStore,
} from "../network/support.ts";

function recordOf({ kind }: Feed, name: string, value: string, at: number): FeedRecord {
  return {
    name,
    kind,
    source: `${name}.txt`,
    licence: null,
    format: null,
    rows: 1,
    skippedLines: 0,
    sha256: "00",
    value,
    etag: null,
    fetchedAt: at,
    changedAt: at,
    lastError: null,
  };
}

export function buildDataSet(
  feeds: Readonly<Record<string, Feed>>,
  geography: Geography,
  builtAt: number,
): DataSet {
  const shards = buildShards(Object.values(feeds), geography);
  const threats = buildThreatTable(Object.values(feeds));
  const named = Object.entries(feeds).map(([name, one]) => {
    const value = encodeFeedValue(one.ranges);
    return { name, value, record: recordOf(one, name, value.digest, builtAt) };
  });
  return {
    shards,
    current: encodeCurrent(
      { builtAt, threatsAt: builtAt, lists: fetchedAllAt(builtAt) },
      shards,
      threats,
    ),
    feedValues: named.map(({ name, value }) => ({ name, ...value })),
    list: { builtAt, feeds: named.map(({ record }) => record) },
  };
}

const geographies = {
  a: geographyOf(["11.0.0.0/8,64500", "2a00::/32,64500"], ["11.0.0.0/8,DE"]),
  b: geographyOf(["11.0.0.0/8,64501", "2a00::/32,64501"], ["11.0.0.0/8,FR"]),
  c: geographyOf(["12.0.0.0/16,64502"]),
};

/** Three data sets that share some shards and differ for every address that is looked up below. */
export const sets = {
  a: (at: number) =>
    buildDataSet(
      { vpn: feedOf("vpn", "11.0.0.0/24"), tor: feedOf("tor", "11.0.0.1") },
      geographies.a,
      at,
    ),
  b: (at: number) =>
    buildDataSet(
      { vpn: feedOf("vpn", "11.0.0.0/24", "13.0.0.0/24"), ipsum: feedOf("threat", "11.0.0.1 4") },
      geographies.b,
      at,
    ),
  c: (at: number) =>
    buildDataSet({ tor: feedOf("tor", "11.0.0.1", "14.0.0.1") }, geographies.c, at),
};
export type SetName = keyof typeof sets;

const lookedUpAddresses = ["11.0.0.1", "11.128.0.1", "2a00::1", "12.0.0.1", "13.0.0.1", "14.0.0.1"];

/** KV in memory that writes and removes one value after the other. */
export class SteppedStore implements DataStore {
  readonly values = new Map<string, Uint8Array>();
  readonly written: string[] = [];
  /** Runs before each write and each removal; if it throws, the writer fails there. */
  beforeStep: (key: string) => Promise<void> | void = () => {};

  async list(prefix: string): Promise<Set<string>> {
    return new Set([...this.values.keys()].filter((key) => key.startsWith(prefix)));
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.values.get(key);
  }

  async write(values: readonly KeyValue[], onProgress: (done: number) => void): Promise<void> {
    for (const [index, { key, bytes }] of values.entries()) {
      await this.beforeStep(key);
      this.values.set(key, bytes);
      this.written.push(key);
      onProgress(index + 1);
    }
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      await this.beforeStep(key);
      this.values.delete(key);
    }
  }

  /** The keys of shards or of feed values. */
  keys(part: "4" | "6" | "feed"): string[] {
    return [...this.values.keys()].filter((key) => key.startsWith(`net/v2/${part}/`));
  }
}

export async function put(store: DataStore, set: DataSet, now: number, maxWrites = 1_000) {
  return await putInForce(store, set, now, maxWrites, () => {});
}

/** The answers of an isolate without a cache, for every address, as JSON. */
export async function lookUpAll(store: SteppedStore, now = NOW): Promise<string> {
  const reader = new WatchedStore(store.values);
  const answers = await Promise.all(
    lookedUpAddresses.map((text) => lookupNetwork(reader, addressOf(text), now)),
  );
  return JSON.stringify(answers);
}

/** The answers from a store that contains only this data set. */
export async function computeExpected(name: SetName): Promise<string> {
  const store = new SteppedStore();
  await put(store, sets[name](NOW), NOW);
  return await lookUpAll(store);
}
