/** Refreshes that are interrupted: a reader finds the old data or the new data, complete. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { feedListKey } from "../../../src/sentinel/feeds/feed-record.ts";
import { dataStoreOf } from "../../../src/sentinel/feeds/kv-store.ts";
import { refreshLimits } from "../../../src/sentinel/feeds/refresh.ts";
import {
  feedNames,
  findMarkedPart,
  geography,
  importMarked,
  listNetworks,
  publisherOf,
} from "./marked.ts";
import {
  day,
  emptyStore,
  hour,
  importFeeds,
  kindsOf,
  now,
  readFeedList,
  readFeedRecord,
  readInForce,
} from "./publisher.ts";

const kv = Object.getPrototypeOf(env.IP_REPUTATION);

/** Limits for one batch of shards. */
const smallLimits = { ...refreshLimits, maxOperations: 40 };

beforeEach(async () => {
  vi.restoreAllMocks();
  await emptyStore();
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "info").mockImplementation(() => {});
});

describe("A refresh that fails", () => {
  it.each(["put", "get"])(
    "at any %s leaves the old data or the new data, and the next refresh completes the change",
    async (method) => {
      const real = kv[method];
      let ended = false;
      for (let survived = 0; !ended; survived += 1) {
        await emptyStore();
        await importMarked(3, now - day);
        const publisher = publisherOf(3, 1, "9.9.9.1");
        let calls = 0;
        const spy = vi.spyOn(kv, method).mockImplementation(async function (
          this: unknown,
          ...args
        ) {
          calls += 1;
          if (calls > survived) throw new Error("KV put failed: 429 Too Many Requests");
          return await real.apply(this, args);
        });
        await publisher.refresh(feedNames, now);
        spy.mockRestore();
        ended = calls <= survived;
        const part = await findMarkedPart(3, [0, 1], now);
        expect(await kindsOf("9.9.9.9", now)).toEqual(["threat"]);
        expect(await kindsOf("9.9.9.1", now)).toEqual(part === 1 ? ["tor"] : []);
        await publisher.refresh(feedNames, now + hour);
        expect(await findMarkedPart(3, [0, 1], now + hour)).toBe(1);
        expect(await kindsOf("9.9.9.9", now + hour)).toEqual(["threat"]);
        expect(await kindsOf("9.9.9.1", now + hour)).toEqual(["tor"]);
        expect((await readFeedList()).feeds.map(({ lastError }) => lastError)).not.toContain(
          expect.anything(),
        );
      }
    },
  );

  it("while it puts the very first data set in force is not mistaken for an import that failed", async () => {
    const real = kv.put;
    const spy = vi.spyOn(kv, "put").mockImplementation(async function (this: unknown, ...args) {
      if (args[0] === feedListKey) throw new Error("KV put failed");
      return await real.apply(this, args);
    });
    const publisher = publisherOf(2, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now);
    spy.mockRestore();
    expect(await kindsOf("9.9.9.1", now)).toEqual(["tor"]);
    publisher.publish("x4b-vpn-v4", listNetworks(2, 7).join("\n"));
    for (const at of [now + hour, now + 2 * hour, now + 26 * hour]) {
      await publisher.refresh(feedNames, at);
    }
    expect(await kindsOf("1.0.7.1", now + 26 * hour)).toEqual(["vpn"]);
    expect(await kindsOf("1.0.1.1", now + 26 * hour)).toEqual([]);
  });
});

describe("A change of more shards than one run may write", () => {
  it("comes into force at once, when its last shard is written", async () => {
    await importMarked(30, now - day);
    const publisher = publisherOf(30, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now, smallLimits);
    expect(await findMarkedPart(30, [0, 1], now)).toBe(0);
    // Threats come into force before it.
    expect(await kindsOf("9.9.9.1", now)).toEqual(["tor"]);
    await publisher.refresh(feedNames, now + hour, smallLimits);
    expect(await findMarkedPart(30, [0, 1], now + hour)).toBe(1);
    expect((await readFeedRecord("x4b-vpn-v4")).fetchedAt).toBe(now);
  });

  it("is completed with its original lists before newer lists are applied", async () => {
    await importMarked(30, now - day);
    const publisher = publisherOf(30, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now, smallLimits);
    publisher
      .publish("x4b-vpn-v4", listNetworks(30, 2).join("\n"))
      .publish("tor-exits", "9.9.9.2\n");
    await publisher.refresh(feedNames, now + hour, smallLimits);
    expect(await findMarkedPart(30, [0, 1, 2], now + hour)).toBe(1);
    expect(await kindsOf("9.9.9.2", now + hour)).toEqual(["tor"]);
    await publisher.refresh(feedNames, now + 25 * hour);
    expect(await findMarkedPart(30, [0, 1, 2], now + 25 * hour)).toBe(2);
  });

  it("writes no shard twice", async () => {
    await importMarked(32, now - day);
    const publisher = publisherOf(32, 1, "9.9.9.1");
    const put = vi.spyOn(kv, "put");
    for (let run = 0; run < 3; run += 1)
      await publisher.refresh(feedNames, now + run * hour, smallLimits);
    expect(await findMarkedPart(32, [0, 1], now + 2 * hour)).toBe(1);
    const shards = put.mock.calls.flatMap(([key]) => (/v2\/[46]\//.test(String(key)) ? key : []));
    expect(shards.length).toBe(32);
    expect(new Set(shards).size).toBe(32);
  });

  it("is discarded when an import comes into force meanwhile", async () => {
    await importMarked(30, now - day);
    const publisher = publisherOf(30, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now, smallLimits);
    const lines = listNetworks(30, 5);
    await importFeeds([{ name: "hand", kind: "vpn", lines }], now + 1000, geography);
    await publisher.refresh("tor-exits", now + hour);
    expect(await findMarkedPart(30, [0, 1, 5], now + hour)).toBe(5);
    expect((await readFeedList()).feeds.map(({ name }) => name).toSorted()).toEqual([
      ...["asn", "country", "hand"],
      "tor-exits",
    ]);
  });

  it("is built again when its shards are missing", async () => {
    await importMarked(30, now - day);
    const publisher = publisherOf(30, 1, "9.9.9.1");
    const before = new Set(await dataStoreOf(env.IP_REPUTATION).list("net/v2/4/"));
    await publisher.refresh(feedNames, now, smallLimits);
    for (const key of await dataStoreOf(env.IP_REPUTATION).list("net/v2/4/")) {
      if (!before.has(key)) await env.IP_REPUTATION.delete(key);
    }
    await publisher.refresh(feedNames, now + hour);
    expect(await findMarkedPart(30, [0, 1], now + hour)).toBe(1);
  });
});

describe("A refresh", () => {
  it("discards its result when an import came into force while it ran", async () => {
    await importMarked(2, now - day);
    const publisher = publisherOf(2, 1, "9.9.9.1").publish("tor-exits", async () => {
      await importFeeds([{ name: "hand", kind: "vpn", lines: listNetworks(2, 5) }], now, geography);
      return new Response("9.9.9.1\n");
    });
    await publisher.refresh(feedNames, now + 1000);
    expect(await findMarkedPart(2, [0, 1, 5], now + 1000)).toBe(5);
    expect(await kindsOf("9.9.9.1", now + 1000)).toEqual([]);
  });

  it("writes no key twice in one run, because KV accepts one write per second", async () => {
    await importMarked(3, now - day);
    const put = vi.spyOn(kv, "put");
    const remove = vi.spyOn(kv, "delete");
    await publisherOf(3, 1, "9.9.9.1").refresh(feedNames, now);
    const keys = [...put.mock.calls, ...remove.mock.calls].map(([key]) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("removes a value that no data set has named for two days, and not before", async () => {
    await importMarked(3, now - day);
    const old = (await readInForce()).shards.get(`4/${0x010}`);
    const publisher = publisherOf(3, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now);
    await publisher.refresh(feedNames, now + 47 * hour);
    expect(await env.IP_REPUTATION.get(`net/v2/4/010/${old}`)).not.toBeNull();
    await publisher.refresh(feedNames, now + 49 * hour);
    expect(await env.IP_REPUTATION.get(`net/v2/4/010/${old}`)).toBeNull();
    expect(await findMarkedPart(3, [0, 1], now + 49 * hour)).toBe(1);
  });
});
