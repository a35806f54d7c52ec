import { afterEach, describe, expect, it, vi } from "vitest";
import { currentKey } from "../../../src/sentinel/network/current-data-set.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import {
  buildDataSet,
  completeLookupOf,
  DAY_MS,
  degradedLookupOf,
  ELSEWHERE,
  HOUR_MS,
  hangForever,
  IN_BOTH,
  IN_THREATS,
  LISTED,
  NOTHING,
  SHARD_KINDS,
  UNLISTED,
  warmUp,
} from "./sample.ts";
import { NOW, WatchedStore } from "./support.ts";

describe("A KV failure", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const failures: [string, () => Promise<ArrayBuffer | null>][] = [
    ["rejects", () => Promise.reject(new Error("KV is down"))],
    [
      "throws",
      () => {
        throw new Error("KV is down");
      },
    ],
  ];

  it.each(failures)("for the shard, when KV %s, leaves the threats", async (_, fault) => {
    const { values, shardKey } = buildDataSet();
    const store = new WatchedStore(values, (key) => (key === shardKey ? fault() : undefined));
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(
      degradedLookupOf("failed", IN_THREATS, SHARD_KINDS),
    );
    expect(await lookupNetwork(store, UNLISTED, NOW)).toEqual(
      degradedLookupOf("failed", undefined, SHARD_KINDS),
    );
  });

  it.each(failures)(
    "for the data set, when KV %s, leaves nothing in a new isolate",
    async (_, fault) => {
      const { values } = buildDataSet();
      const store = new WatchedStore(values, (key) => (key === currentKey ? fault() : undefined));
      expect(await lookupNetwork(store, LISTED, NOW)).toEqual(degradedLookupOf("failed"));
      expect(store.reads).toEqual([currentKey]);
    },
  );

  it.each(failures)(
    "for the data set, when KV %s, leaves the one cached the day before",
    async (_, fault) => {
      const { values } = buildDataSet();
      let down = false;
      const store = new WatchedStore(values, (key) =>
        down && key === currentKey ? fault() : undefined,
      );
      await warmUp(store);
      down = true;
      const found = await lookupNetwork(store, LISTED, NOW + DAY_MS - 1);
      expect(found).toEqual(degradedLookupOf("failed", IN_BOTH));
      expect(await lookupNetwork(store, LISTED, NOW + DAY_MS)).toEqual(degradedLookupOf("failed"));
    },
  );

  it("by hanging costs a second, and leaves the facts of the other value", async () => {
    vi.useFakeTimers();
    const { values, shardKey } = buildDataSet();
    const shardHangs = new WatchedStore(values, (key) =>
      key === shardKey ? hangForever() : undefined,
    );
    const dataSetHangs = new WatchedStore(values, (key) =>
      key === currentKey ? hangForever() : undefined,
    );
    const found = [shardHangs, dataSetHangs].map((store) => lookupNetwork(store, LISTED, NOW));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await Promise.all(found)).toEqual([
      degradedLookupOf("timeout", IN_THREATS, SHARD_KINDS),
      degradedLookupOf("timeout"),
    ]);
  });

  it("by hanging for both values costs a second when a cached data set names the shard", async () => {
    vi.useFakeTimers();
    let hangs = false;
    const store = new WatchedStore(buildDataSet().values, () =>
      hangs ? hangForever() : undefined,
    );
    await warmUp(store);
    hangs = true;
    const pending = lookupNetwork(store, LISTED, NOW + HOUR_MS);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await pending).toEqual(degradedLookupOf("timeout", IN_THREATS));
  });

  it("leaves no timer behind when it does not occur", async () => {
    vi.useFakeTimers();
    await lookupNetwork(new WatchedStore(buildDataSet().values), LISTED, NOW);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not matter for an address that the data set does not contain", async () => {
    const store = new WatchedStore(buildDataSet().values, (key) =>
      key === currentKey ? undefined : Promise.reject(new Error("KV is down")),
    );
    expect(await lookupNetwork(store, ELSEWHERE, NOW)).toEqual(NOTHING);
  });

  it("is followed by a new read in the next request", async () => {
    let down = true;
    const store = new WatchedStore(buildDataSet().values, () =>
      down ? Promise.reject(new Error("KV is down")) : undefined,
    );
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(degradedLookupOf("failed"));
    down = false;
    expect(await lookupNetwork(store, LISTED, NOW)).toEqual(completeLookupOf(IN_BOTH));
  });
});
