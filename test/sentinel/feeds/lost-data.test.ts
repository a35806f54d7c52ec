/** When stored data is lost, a refresh puts nothing in force that needs it. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { feedListKey } from "../../../src/sentinel/feeds/feed-record.ts";
import { feedValueKeyOf } from "../../../src/sentinel/feeds/feed-value.ts";
import { currentKey } from "../../../src/sentinel/network/current-data-set.ts";
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
  lookUp,
  now,
  readFeedRecord,
  readInForce,
} from "./publisher.ts";

const kv = Object.getPrototypeOf(env.IP_REPUTATION);

beforeEach(async () => {
  vi.restoreAllMocks();
  await emptyStore();
  vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "info").mockImplementation(() => {});
});

describe("A refresh", () => {
  async function loseValueOf(name: string): Promise<void> {
    const { value } = await readFeedRecord(name);
    await env.IP_REPUTATION.delete(feedValueKeyOf(name, value ?? ""));
  }

  it("puts no threats in force while the ranges of a list that it does not refresh are lost", async () => {
    await importMarked(2, now - day);
    await loseValueOf("own-threats");
    await publisherOf(2, 1, "9.9.9.1").refresh(feedNames, now);
    expect(await kindsOf("9.9.9.9", now)).toEqual(["threat"]);
    expect(await kindsOf("9.9.9.1", now)).toEqual([]);
    expect((await readFeedRecord("own-threats")).lastError?.reason).toMatch(/own-threats are gone/);
    expect((await readFeedRecord("tor-exits")).lastError?.reason).toMatch(/own-threats are gone/);
    // The shards do not depend on threats.
    expect(await findMarkedPart(2, [0, 1], now)).toBe(1);
  });

  it("applies threats but no networks while the ranges of a network list that it does not refresh are lost", async () => {
    const lines = listNetworks(2, 0);
    await importFeeds([{ name: "hand", kind: "proxy", lines }], now - day, geography);
    await loseValueOf("hand");
    await publisherOf(2, 1, "9.9.9.1").refresh(feedNames, now);
    expect(await kindsOf("1.0.0.1", now)).toEqual(["proxy"]);
    expect(await kindsOf("1.0.1.1", now)).toEqual([]);
    expect(await kindsOf("9.9.9.1", now)).toEqual(["tor"]);
    expect((await readFeedRecord("x4b-vpn-v4")).lastError?.reason).toMatch(/hand are gone/);
  });

  it("fetches a configured list again when its ranges are lost, and removes its old networks from all shards", async () => {
    const publisher = publisherOf(3, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now);
    await loseValueOf("x4b-vpn-v4");
    await loseValueOf("tor-exits");
    publisher.publish("x4b-vpn-v4", listNetworks(2, 2).join("\n"));
    await publisher.refresh(feedNames, now + day);
    expect(publisher.requests.map(([, etag]) => etag)).toEqual([null, null, null, null]);
    expect(await kindsOf("1.0.2.1", now + day)).toEqual(["vpn"]);
    for (const oldAddress of ["1.0.1.1", "1.16.1.1", "1.32.1.1"]) {
      expect(await kindsOf(oldAddress, now + day)).toEqual([]);
    }
    expect(await kindsOf("9.9.9.1", now + day)).toEqual(["tor"]);
  });

  it("restores the lost ranges of an unchanged list, and continues to fetch it when it is due", async () => {
    const publisher = publisherOf(2, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now);
    await loseValueOf("x4b-vpn-v4");
    await publisher.refresh("x4b-vpn-v4", now + day);
    publisher.publish("x4b-vpn-v4", listNetworks(2, 2).join("\n"));
    await publisher.refresh("x4b-vpn-v4", now + 2 * day);
    expect(publisher.requests.map(([name]) => name)).toEqual([
      ...["tor-exits", "x4b-vpn-v4"],
      "x4b-vpn-v4",
      "x4b-vpn-v4",
    ]);
    expect((await lookUp("1.0.2.1", now + 2 * day)).facts?.kinds).toEqual(["vpn"]);
  });

  it("leaves the networks unchanged when a shard is lost", async () => {
    await importMarked(2, now - day);
    const digest = (await readInForce()).shards.get(`4/${0x011}`);
    await env.IP_REPUTATION.put(`net/v2/4/011/${digest}`, "damaged");
    await publisherOf(2, 1, "9.9.9.1").refresh(feedNames, now);
    expect(await kindsOf("1.0.0.1", now)).toEqual(["vpn"]);
    expect((await readFeedRecord("x4b-vpn-v4")).lastError?.reason).toMatch(/shard is gone/);
    expect(await kindsOf("9.9.9.1", now)).toEqual(["tor"]);
  });

  it.each([
    ["a damaged list", feedListKey, "{"],
    ["no list", feedListKey, null],
    ["a damaged data set", currentKey, "damaged"],
    ["no data set", currentKey, null],
  ])("with %s changes nothing until the next import", async (_, key, value) => {
    await importMarked(2, now - day);
    if (value === null) await env.IP_REPUTATION.delete(key);
    else await env.IP_REPUTATION.put(key, value);
    const put = vi.spyOn(kv, "put");
    const publisher = publisherOf(2, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now);
    expect(put).not.toHaveBeenCalled();
    expect(publisher.requests).toEqual([]);
    await importMarked(2, now);
    await publisher.refresh(feedNames, now + day);
    expect(await kindsOf("9.9.9.1", now + day)).toEqual(["tor"]);
  });

  it("changes nothing after an import that failed before it wrote its list", async () => {
    await importMarked(2, now - day);
    const list = await env.IP_REPUTATION.get(feedListKey);
    await importFeeds(
      [{ name: "hand", kind: "vpn", lines: listNetworks(2, 5) }],
      now - hour,
      geography,
    );
    await env.IP_REPUTATION.put(feedListKey, list ?? "");
    const publisher = publisherOf(2, 1, "9.9.9.1");
    await publisher.refresh(feedNames, now);
    expect(publisher.requests).toEqual([]);
    expect(await findMarkedPart(2, [0, 1, 5], now)).toBe(5);
  });
});
