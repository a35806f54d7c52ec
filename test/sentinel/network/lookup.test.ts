import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Address } from "../../../src/sentinel/network/address.ts";
import { noGeography } from "../../../src/sentinel/network/build.ts";
import { currentKey } from "../../../src/sentinel/network/current-data-set.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import {
  buildDataSet,
  completeLookupOf,
  DAY_MS,
  degradedLookupOf,
  ELSEWHERE,
  FAST_KINDS,
  IN_BOTH,
  IN_SHARD,
  IN_THREATS,
  LISTED,
  MINUTE_MS,
  NOTHING,
  ORIGIN,
  SHARD_KINDS,
  UNLISTED,
  warmUp,
} from "./sample.ts";
import {
  addressOf,
  encodeDataSet,
  factsOf,
  feedOf,
  fetchedAllAt,
  NOW,
  WatchedStore,
} from "./support.ts";

describe("A lookup in the real KV", () => {
  // An isolate caches a data set for a day, so each test runs two days after the one before.
  let tests = 0;

  async function startEmpty(): Promise<number> {
    const { keys } = await env.IP_REPUTATION.list();
    for (const { name } of keys) await env.IP_REPUTATION.delete(name);
    tests += 1;
    return NOW + tests * 2 * DAY_MS;
  }

  async function importAll(): Promise<{ now: number; key: string }> {
    const now = await startEmpty();
    const { values, shardKey } = buildDataSet(now);
    for (const [key, value] of values) await env.IP_REPUTATION.put(key, value);
    return { now, key: shardKey };
  }

  async function look(target: Address, now: number) {
    return await lookupNetwork(env.IP_REPUTATION, target, now);
  }

  it("is degraded before the first import", async () => {
    expect(await look(LISTED, await startEmpty())).toEqual(degradedLookupOf("missing"));
  });

  it("combines the facts of lists and geography", async () => {
    const { now } = await importAll();
    expect(await look(LISTED, now)).toEqual(completeLookupOf(IN_BOTH));
    expect(await look(UNLISTED, now)).toEqual(completeLookupOf(factsOf(ORIGIN)));
    const exit = await look(addressOf("2a00:1:2:3::4"), now);
    expect(exit).toEqual(completeLookupOf(factsOf({ kinds: ["tor"] })));
  });

  it("has no facts for an address that no data contains, and is not degraded", async () => {
    const { now } = await importAll();
    expect(await look(ELSEWHERE, now)).toEqual(NOTHING);
    expect(await look(addressOf("2a00:2::1"), now)).toEqual(NOTHING);
  });

  it("is degraded when a shard is missing, and still gives the facts of threat lists", async () => {
    const { now, key } = await importAll();
    await env.IP_REPUTATION.delete(key);
    expect(await look(LISTED, now)).toEqual(degradedLookupOf("missing", IN_THREATS, SHARD_KINDS));
    expect(await look(UNLISTED, now)).toEqual(degradedLookupOf("missing", undefined, SHARD_KINDS));
    expect(await look(ELSEWHERE, now)).toEqual(NOTHING);
  });

  it("is degraded when the shard is damaged, and still gives the facts of threat lists", async () => {
    const { now, key } = await importAll();
    const value = await env.IP_REPUTATION.get(key, "arrayBuffer");
    await env.IP_REPUTATION.put(key, new Uint8Array(value ?? []).subarray(0, 30));
    expect(await look(LISTED, now)).toEqual(degradedLookupOf("corrupt", IN_THREATS, SHARD_KINDS));
  });

  it.each(["", "{", "EIPC"])("is degraded when the data set is %j", async (text) => {
    const { now } = await importAll();
    await env.IP_REPUTATION.put(currentKey, text);
    expect(await look(LISTED, now)).toEqual(degradedLookupOf("corrupt"));
  });
});

describe("The age of the data", () => {
  it("makes shards stale after 90 days and lists of threats after 14", async () => {
    const { values } = buildDataSet();
    const at = async (age: number, target = LISTED) =>
      await lookupNetwork(new WatchedStore(values), target, NOW + age);
    expect(await at(14 * DAY_MS)).toEqual(completeLookupOf(IN_BOTH));
    expect(await at(14 * DAY_MS + 1)).toEqual(degradedLookupOf("stale", IN_SHARD, FAST_KINDS));
    expect(await at(90 * DAY_MS)).toEqual(degradedLookupOf("stale", IN_SHARD, FAST_KINDS));
    expect(await at(90 * DAY_MS + 1)).toEqual(degradedLookupOf("stale"));
    expect(await at(91 * DAY_MS, ELSEWHERE)).toEqual(degradedLookupOf("stale"));
  });

  it("does not matter for threats when the data set has none", async () => {
    const { tor, scanner, threat, ...others } = fetchedAllAt(NOW);
    expect([tor, scanner, threat]).toEqual([NOW, NOW, NOW]);
    const values = encodeDataSet([feedOf("vpn", "11.0.0.0/24")], NOW, noGeography, others);
    const found = await lookupNetwork(new WatchedStore(values), LISTED, NOW + 60 * DAY_MS);
    expect(found).toEqual({ facts: factsOf({ kinds: ["vpn"] }), degraded: FAST_KINDS });
  });

  it("may be up to a day in the future, but no more", async () => {
    const { values } = buildDataSet(NOW + DAY_MS);
    expect(await lookupNetwork(new WatchedStore(values), LISTED, NOW)).toEqual(
      completeLookupOf(IN_BOTH),
    );
    const early = await lookupNetwork(new WatchedStore(values), LISTED, NOW - 1);
    expect(early).toEqual(degradedLookupOf("stale"));
  });
});

describe("A data set that follows another", () => {
  const after = encodeDataSet(
    [feedOf("threat", "11.0.0.0/25 9"), feedOf("relay", "11.0.0.0/24")],
    NOW + 1,
  );

  /** A store where the next data set is in force and the one before is not removed yet. */
  async function createSwappedStore() {
    const { values } = buildDataSet();
    const store = new WatchedStore(values);
    await warmUp(store);
    for (const [key, value] of after) values.set(key, value);
    return store;
  }

  it("is used after a minute: its threats at once, its shards from the next lookup", async () => {
    const store = await createSwappedStore();
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS - 1)).toEqual(
      completeLookupOf(IN_BOTH),
    );
    const between = { ...IN_BOTH, threatGrade: 9 };
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS)).toEqual(completeLookupOf(between));
    const relay = factsOf({ kinds: ["relay", "threat"], threatGrade: 9 });
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS)).toEqual(completeLookupOf(relay));
  });

  it("leaves the one before in use, reported as degraded, when it cannot be read", async () => {
    const { values } = buildDataSet();
    const store = new WatchedStore(values);
    await warmUp(store);
    values.set(currentKey, new Uint8Array(60));
    const found = await lookupNetwork(store, LISTED, NOW + MINUTE_MS);
    expect(found).toEqual(degradedLookupOf("corrupt", IN_BOTH));
    expect(await lookupNetwork(store, LISTED, NOW + DAY_MS)).toEqual(degradedLookupOf("corrupt"));
  });
});
