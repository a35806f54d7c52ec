import { describe, expect, it } from "vitest";
import { currentKey } from "../../../src/sentinel/network/current-data-set.ts";
import {
  isNetworkCached,
  lookupNetwork,
  prefetchNetwork,
} from "../../../src/sentinel/network/lookup.ts";
import {
  buildDataSet,
  completeLookupOf,
  DAY_MS,
  degradedLookupOf,
  ELSEWHERE,
  IN_BOTH,
  LISTED,
  MINUTE_MS,
  NOTHING,
  THREAT,
  UNLISTED,
  warmUp,
} from "./sample.ts";
import { addressOf, factsOf, NOW, WatchedStore } from "./support.ts";

describe("The reads of a lookup", () => {
  it("are two in an isolate without a cached data set", async () => {
    const { values, shardKey } = buildDataSet();
    const store = new WatchedStore(values);
    await lookupNetwork(store, LISTED, NOW);
    expect(store.reads).toEqual([currentKey, shardKey]);
  });

  it("are one during the next minute", async () => {
    const { values, shardKey } = buildDataSet();
    const store = new WatchedStore(values);
    expect(isNetworkCached(store, NOW)).toBe(false);
    await warmUp(store);
    expect(isNetworkCached(store, NOW + MINUTE_MS - 1)).toBe(true);
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS - 1)).toEqual(
      completeLookupOf(IN_BOTH),
    );
    expect(store.reads).toEqual([shardKey]);
    expect(isNetworkCached(store, NOW + DAY_MS - 1)).toBe(true);
    expect(isNetworkCached(store, NOW + DAY_MS)).toBe(false);
  });

  it("are one during the next day when an older data set is acceptable", async () => {
    const { values, shardKey } = buildDataSet();
    const store = new WatchedStore(values);
    await warmUp(store);
    const late = NOW + DAY_MS - 1;
    expect(await lookupNetwork(store, LISTED, late, undefined, true)).toEqual(
      completeLookupOf(IN_BOTH),
    );
    expect(store.reads).toEqual([shardKey]);
    store.reads.length = 0;
    await lookupNetwork(store, LISTED, NOW + DAY_MS, undefined, true);
    expect(store.reads).toEqual([currentKey, shardKey]);
  });

  it("are none for a minute after no data set was found", async () => {
    const values = new Map<string, Uint8Array>();
    const store = new WatchedStore(values);
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(degradedLookupOf("missing"));
    for (const [key, value] of buildDataSet().values) values.set(key, value);
    const soon = NOW + MINUTE_MS - 1;
    expect(prefetchNetwork(store, soon)).toBeUndefined();
    expect(await lookupNetwork(store, LISTED, soon)).toEqual(degradedLookupOf("missing"));
    expect(store.reads).toEqual([currentKey]);
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS)).toEqual(completeLookupOf(IN_BOTH));
  });

  it("are two concurrent ones during the next day", async () => {
    const { values, shardKey } = buildDataSet();
    // No read is answered before both have started: sequential reads would time out.
    let gate: PromiseWithResolvers<void> | undefined;
    const store: WatchedStore = new WatchedStore(values, async (key) => {
      if (gate !== undefined && store.reads.length === 2) gate.resolve();
      await gate?.promise;
      return new Uint8Array(values.get(key) ?? []).buffer;
    });
    for (const age of [MINUTE_MS, DAY_MS - 1]) {
      gate = undefined;
      await warmUp(store);
      gate = Promise.withResolvers();
      expect(await lookupNetwork(store, LISTED, NOW + age)).toEqual(completeLookupOf(IN_BOTH));
      expect(store.reads.toSorted()).toEqual([shardKey, currentKey].toSorted());
    }
  });

  it("are sequential again after a day", async () => {
    const { values, shardKey } = buildDataSet();
    const store = new WatchedStore(values);
    await warmUp(store);
    await lookupNetwork(store, LISTED, NOW + DAY_MS);
    expect(store.reads).toEqual([currentKey, shardKey]);
  });

  it("are at most one when the data set names no shard", async () => {
    const store = new WatchedStore(buildDataSet().values);
    expect(await lookupNetwork(store, ELSEWHERE, NOW)).toEqual(NOTHING);
    const threat = factsOf({ kinds: ["threat"], threatGrade: 2 });
    expect(await lookupNetwork(store, THREAT, NOW)).toEqual(completeLookupOf(threat));
    expect(store.reads).toEqual([currentKey]);
  });

  it("are none for a reserved address", async () => {
    const store = new WatchedStore(new Map());
    for (const text of ["10.0.0.1", "::1", "fe80::1", "2001:db8::1"]) {
      expect(await lookupNetwork(store, addressOf(text), NOW)).toEqual(NOTHING);
    }
    expect(store.reads).toEqual([]);
  });

  it("let KV cache the data set for a minute and shards for a day", async () => {
    const store = new WatchedStore(buildDataSet().values);
    await lookupNetwork(store, LISTED, NOW);
    expect(store.cacheTtls).toEqual([60, 86_400]);
  });

  it.each<[string, Map<string, Uint8Array>]>([
    ["empty", new Map()],
    ["full", buildDataSet().values],
    ["corrupt", new Map([...buildDataSet().values.keys()].map((key) => [key, new Uint8Array(60)]))],
    [
      "corrupt in its shards",
      new Map(
        [...buildDataSet().values].map(([key, value]) => [
          key,
          key === currentKey ? value : value.subarray(1),
        ]),
      ),
    ],
  ])("are never more than two when KV is %s", async (_, values) => {
    const store = new WatchedStore(values);
    for (const later of [0, 1, MINUTE_MS, DAY_MS - 1, 2 * DAY_MS, 40 * DAY_MS, 100 * DAY_MS]) {
      for (const target of [LISTED, UNLISTED, THREAT, addressOf("2a00:1::1")]) {
        store.reads.length = 0;
        const prefetched = prefetchNetwork(store, NOW + later);
        await lookupNetwork(store, target, NOW + later, prefetched);
        expect(store.reads.length).toBeLessThanOrEqual(2);
      }
    }
  });

  it("do not use a data set that was cached in the future", async () => {
    const store = new WatchedStore(buildDataSet().values);
    await warmUp(store, NOW + 1_000);
    await lookupNetwork(store, LISTED, NOW);
    expect(store.reads.length).toBe(2);
  });

  it("never mix two namespaces", async () => {
    const full = new WatchedStore(buildDataSet().values);
    const empty = new WatchedStore(new Map());
    expect(await lookupNetwork(full, LISTED, NOW)).toEqual(completeLookupOf(IN_BOTH));
    expect(await lookupNetwork(empty, LISTED, NOW)).toEqual(degradedLookupOf("missing"));
    expect(await lookupNetwork(full, LISTED, NOW)).toEqual(completeLookupOf(IN_BOTH));
  });
});

describe("A prefetched data set", () => {
  it("is not read again by the lookup", async () => {
    const { values, shardKey } = buildDataSet();
    const store = new WatchedStore(values);
    const prefetched = prefetchNetwork(store, NOW);
    expect(store.reads).toEqual([currentKey]);
    expect(await lookupNetwork(store, LISTED, NOW, prefetched)).toEqual(completeLookupOf(IN_BOTH));
    expect(store.reads).toEqual([currentKey, shardKey]);
  });

  it("is not read when a cached one names the shard", async () => {
    const store = new WatchedStore(buildDataSet().values);
    await warmUp(store);
    for (const age of [0, MINUTE_MS, DAY_MS - 1]) {
      expect(prefetchNetwork(store, NOW + age)).toBeUndefined();
    }
    expect(store.reads).toEqual([]);
    expect(prefetchNetwork(store, NOW + DAY_MS)).toBeDefined();
  });

  it("makes the lookup degraded when its read failed, and never rejects", async () => {
    const store = new WatchedStore(buildDataSet().values, () =>
      Promise.reject(new Error("KV is down")),
    );
    const prefetched = prefetchNetwork(store, NOW);
    expect(await prefetched).toEqual({ status: "failed" });
    expect(await lookupNetwork(store, LISTED, NOW, prefetched)).toEqual(degradedLookupOf("failed"));
    expect(store.reads.length).toBe(1);
  });
});
