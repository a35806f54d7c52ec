import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Address } from "../../../src/sentinel/network/address.ts";
import { currentKey } from "../../../src/sentinel/network/current-data-set.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import {
  DAY_MS,
  buildDataSet,
  degradedLookupOf,
  ELSEWHERE,
  IN_BOTH,
  IN_SHARD,
  IN_THREATS,
  LISTED,
  MINUTE_MS,
  NOTHING,
  ORIGIN,
  UNLISTED,
  warmUp,
  completeLookupOf,
} from "./sample.ts";
import { addressOf, factsOf, feedOf, encodeDataSet, NOW, WatchedStore } from "./support.ts";

describe("a lookup in the real KV", () => {
  // An isolate remembers a data set for a day; each test lives two days after the one before.
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

  it("is degraded while nothing was ever imported", async () => {
    expect(await look(LISTED, await startEmpty())).toEqual(degradedLookupOf("missing"));
  });

  it("gives what lists and geography know together", async () => {
    const { now } = await importAll();
    expect(await look(LISTED, now)).toEqual(completeLookupOf(IN_BOTH));
    expect(await look(UNLISTED, now)).toEqual(completeLookupOf(factsOf(ORIGIN)));
    const exit = await look(addressOf("2a00:1:2:3::4"), now);
    expect(exit).toEqual(completeLookupOf(factsOf({ kinds: ["tor"] })));
  });

  it("knows nothing of an address that is in no data, and is not degraded", async () => {
    const { now } = await importAll();
    expect(await look(ELSEWHERE, now)).toEqual(NOTHING);
    expect(await look(addressOf("2a00:2::1"), now)).toEqual(NOTHING);
  });

  it("is degraded when a shard of the data set is gone, and says what threat lists know", async () => {
    const { now, key } = await importAll();
    await env.IP_REPUTATION.delete(key);
    expect(await look(LISTED, now)).toEqual(degradedLookupOf("missing", IN_THREATS));
    expect(await look(UNLISTED, now)).toEqual(degradedLookupOf("missing"));
    expect(await look(ELSEWHERE, now)).toEqual(NOTHING);
  });

  it("is degraded when the shard is damaged, and says what threat lists know", async () => {
    const { now, key } = await importAll();
    const value = await env.IP_REPUTATION.get(key, "arrayBuffer");
    await env.IP_REPUTATION.put(key, new Uint8Array(value ?? []).subarray(0, 30));
    expect(await look(LISTED, now)).toEqual(degradedLookupOf("corrupt", IN_THREATS));
  });

  it.each(["", "{", "EIPC"])("is degraded when the data set is %j", async (text) => {
    const { now } = await importAll();
    await env.IP_REPUTATION.put(currentKey, text);
    expect(await look(LISTED, now)).toEqual(degradedLookupOf("corrupt"));
  });
});

describe("the age of the data", () => {
  it("makes shards unbelievable after 90 days, and lists of threats after 14", async () => {
    const { values } = buildDataSet();
    const at = async (age: number, target = LISTED) =>
      await lookupNetwork(new WatchedStore(values), target, NOW + age);
    expect(await at(14 * DAY_MS)).toEqual(completeLookupOf(IN_BOTH));
    expect(await at(14 * DAY_MS + 1)).toEqual(degradedLookupOf("stale", IN_SHARD));
    expect(await at(90 * DAY_MS)).toEqual(degradedLookupOf("stale", IN_SHARD));
    expect(await at(90 * DAY_MS + 1)).toEqual(degradedLookupOf("stale"));
    expect(await at(91 * DAY_MS, ELSEWHERE)).toEqual(degradedLookupOf("stale"));
  });

  it("of threats does not matter where there are none", async () => {
    const values = encodeDataSet([feedOf("vpn", "11.0.0.0/24")], NOW);
    const found = await lookupNetwork(new WatchedStore(values), LISTED, NOW + 60 * DAY_MS);
    expect(found).toEqual(completeLookupOf(factsOf({ kinds: ["vpn"] })));
  });

  it("lets a clock be a day ahead, and believes no data from later", async () => {
    const { values } = buildDataSet(NOW + DAY_MS);
    expect(await lookupNetwork(new WatchedStore(values), LISTED, NOW)).toEqual(
      completeLookupOf(IN_BOTH),
    );
    const early = await lookupNetwork(new WatchedStore(values), LISTED, NOW - 1);
    expect(early).toEqual(degradedLookupOf("stale"));
  });
});

describe("a data set that follows another", () => {
  const after = encodeDataSet(
    [feedOf("threat", "11.0.0.0/25 9"), feedOf("relay", "11.0.0.0/24")],
    NOW + 1,
  );

  /** A store in which the next data set is in force, and the one before not removed yet. */
  async function createSwappedStore() {
    const { values } = buildDataSet();
    const store = new WatchedStore(values);
    await warmUp(store);
    for (const [key, value] of after) values.set(key, value);
    return store;
  }

  it("is not seen for a minute, then its threats at once and its shards by the next lookup", async () => {
    const store = await createSwappedStore();
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS - 1)).toEqual(
      completeLookupOf(IN_BOTH),
    );
    const between = { ...IN_BOTH, threatGrade: 9 };
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS)).toEqual(completeLookupOf(between));
    const relay = factsOf({ kinds: ["relay", "threat"], threatGrade: 9 });
    expect(await lookupNetwork(store, LISTED, NOW + MINUTE_MS)).toEqual(completeLookupOf(relay));
  });

  it("that cannot be read leaves the one before, said to be degraded", async () => {
    const { values } = buildDataSet();
    const store = new WatchedStore(values);
    await warmUp(store);
    values.set(currentKey, new Uint8Array(60));
    const found = await lookupNetwork(store, LISTED, NOW + MINUTE_MS);
    expect(found).toEqual(degradedLookupOf("corrupt", IN_BOTH));
    expect(await lookupNetwork(store, LISTED, NOW + DAY_MS)).toEqual(degradedLookupOf("corrupt"));
  });
});
