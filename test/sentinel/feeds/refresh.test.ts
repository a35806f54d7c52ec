/** Refreshes of lists that their publishers change, from the fetch to the lookup. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { dataKinds } from "../../../src/sentinel/network/network-facts.ts";
import {
  day,
  emptyStore,
  geographyOf,
  hour,
  importFeeds,
  kindsOf,
  lookUp,
  now,
  Publisher,
  readFeedList,
  readFeedRecord,
  readInForce,
} from "./publisher.ts";

beforeEach(async () => {
  await emptyStore();
  vi.restoreAllMocks();
  vi.spyOn(console, "info").mockImplementation(() => {});
});

describe("A refresh", () => {
  it("fills an empty store, so that lookups find lists and networks", async () => {
    const publisher = new Publisher()
      .publish("ipsum", "198.51.100.7\t9\n198.51.100.8\t2\n")
      .publish("tor-exits", "203.0.113.9\n")
      .publish("x4b-vpn-v4", "8.8.0.0/16\n")
      .publish("x4b-vpn-v6", "2a00:1::/32\n");
    await publisher.refresh("ipsum,tor-exits,x4b-vpn-v4,x4b-vpn-v6", now);
    const { facts, degraded } = await lookUp("8.8.8.8", now);
    expect(facts?.kinds).toEqual(["vpn"]);
    const listed = ["threat", "tor", "vpn"];
    expect(degraded).toEqual(dataKinds.filter((kind) => !listed.includes(kind)));
    expect(await kindsOf("2a00:1:5::1", now)).toEqual(["vpn"]);
    expect(await kindsOf("8.9.0.1", now)).toEqual([]);
    expect((await readInForce()).builtAt).toBe(now);
    expect((await readInForce()).threatsAt).toBe(now);
    expect((await readFeedList()).builtAt).toBe(now);
    expect(await readFeedRecord("ipsum")).toMatchObject({
      kind: "threat",
      licence: "Unlicense",
      rows: 2,
      skippedLines: 0,
      fetchedAt: now,
      changedAt: now,
      lastError: null,
    });
  });

  it("fetches and writes nothing while no feed is configured", async () => {
    const publisher = new Publisher().publish("ipsum", "9.9.9.9\t3\n");
    await publisher.refresh("", now);
    expect(publisher.requests).toEqual([]);
    expect((await env.IP_REPUTATION.list()).keys).toEqual([]);
  });

  it("logs a name that is not in the catalogue, and refreshes the others", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => {});
    const publisher = new Publisher().publish("ipsum", "9.9.9.9\t3\n");
    await publisher.refresh("no-such-list,ipsum", now);
    expect(publisher.requests).toEqual([["ipsum", null]]);
    expect(await kindsOf("9.9.9.9", now)).toEqual(["threat"]);
    expect(logged.mock.calls.flat().join()).toContain("no-such-list");
  });

  it("fetches a feed again when it is due, and not before", async () => {
    const publisher = new Publisher()
      .publish("ipsum", "9.9.9.9\t3\n")
      .publish("tor-exits", "9.9.9.8\n");
    const names = "ipsum,tor-exits";
    await publisher.refresh(names, now);
    await publisher.refresh(names, now + hour);
    await publisher.refresh(names, now + 23 * hour);
    await publisher.refresh(names, now + 24 * hour - 1000);
    expect(publisher.requests.map(([name]) => name)).toEqual([
      ...["ipsum", "tor-exits"],
      "tor-exits",
      "tor-exits",
      ...["ipsum", "tor-exits"],
    ]);
  });

  it("does not download an unchanged list again, and treats it as fresh", async () => {
    const publisher = new Publisher().publish("tor-exits", "9.9.9.8\n");
    await publisher.refresh("tor-exits", now);
    await publisher.refresh("tor-exits", now + hour);
    expect(publisher.requests[1]).toEqual(["tor-exits", (await readFeedRecord("tor-exits")).etag]);
    expect(await readFeedRecord("tor-exits")).toMatchObject({
      fetchedAt: now + hour,
      changedAt: now,
      rows: 1,
    });
    expect((await readInForce()).threatsAt).toBe(now + hour);
    expect(await kindsOf("9.9.9.8", now + hour)).toEqual(["tor"]);
  });

  it("treats an identical list without an ETag as fresh too", async () => {
    const publisher = new Publisher().publish("tor-exits", () => new Response("9.9.9.8\n"));
    await publisher.refresh("tor-exits", now);
    await publisher.refresh("tor-exits", now + hour);
    expect(await readFeedRecord("tor-exits")).toMatchObject({
      fetchedAt: now + hour,
      changedAt: now,
    });
    expect((await readInForce()).threatsAt).toBe(now + hour);
  });

  it("keeps lists that never change in use as long as they are confirmed", async () => {
    const publisher = new Publisher()
      .publish("tor-exits", "9.9.9.8\n")
      .publish("x4b-vpn-v4", "8.8.0.0/16\n");
    const names = "tor-exits,x4b-vpn-v4";
    await publisher.refresh(names, now);
    await publisher.refresh(names, now + 100 * day);
    expect(await kindsOf("9.9.9.8", now + 101 * day)).toEqual(["tor"]);
    expect(await kindsOf("8.8.8.8", now + 101 * day)).toEqual(["vpn"]);
    expect((await lookUp("8.8.8.8", now + 300 * day)).reason).toBe("stale");
  });

  it("applies a changed list, and removes the addresses that it no longer contains", async () => {
    const publisher = new Publisher().publish("tor-exits", "9.9.9.1\n9.9.9.2\n");
    await publisher.refresh("tor-exits", now);
    publisher.publish("tor-exits", "9.9.9.2\n9.9.9.3\n");
    await publisher.refresh("tor-exits", now + hour);
    expect(await kindsOf("9.9.9.1", now + hour)).toEqual([]);
    expect(await kindsOf("9.9.9.3", now + hour)).toEqual(["tor"]);
    expect((await readFeedRecord("tor-exits")).changedAt).toBe(now + hour);
  });

  it("keeps lists that were imported and are not configured", async () => {
    await importFeeds(
      [
        { name: "own", kind: "threat", lines: ["9.9.9.9"] },
        { name: "own-vpn", kind: "vpn", lines: ["8.8.0.0/16"] },
      ],
      now - hour,
    );
    const publisher = new Publisher()
      .publish("tor-exits", "9.9.9.8\n")
      .publish("x4b-datacenter-v4", "8.8.8.0/24\n");
    await publisher.refresh("tor-exits,x4b-datacenter-v4", now);
    expect(await kindsOf("9.9.9.9", now)).toEqual(["threat"]);
    expect(await kindsOf("8.8.8.8", now)).toEqual(["hosting", "vpn"]);
    expect(await kindsOf("8.8.9.1", now)).toEqual(["vpn"]);
    expect(await readFeedRecord("own")).toMatchObject({ source: "own.txt", fetchedAt: now - hour });
  });

  it("replaces a list that was imported under the name of a configured feed", async () => {
    await importFeeds([{ name: "ipsum", kind: "threat", lines: ["9.9.9.9"] }], now - day);
    const publisher = new Publisher().publish("ipsum", "9.9.9.8\t4\n");
    await publisher.refresh("ipsum", now);
    expect(await kindsOf("9.9.9.9", now)).toEqual([]);
    expect((await lookUp("9.9.9.8", now)).facts?.threatGrade).toBe(4);
  });

  it("does not replace a list of networks with a list of threats of the same name", async () => {
    await importFeeds([{ name: "ipsum", kind: "vpn", lines: ["9.9.9.0/24"] }], now - day);
    vi.spyOn(console, "error").mockImplementation(() => {});
    await new Publisher().publish("ipsum", "9.9.9.8\t4\n").refresh("ipsum", now);
    expect(await kindsOf("9.9.9.8", now)).toEqual(["vpn"]);
    expect((await readFeedRecord("ipsum")).lastError?.reason).toContain("vpn");
  });
});

describe("A changed list of networks", () => {
  const geography = geographyOf(
    ["1.0.0.0/16", 64500, "DE"],
    ["1.16.0.0/16", 64501, "FR"],
    ["2a00:1::/32", 64502, "IT"],
  );

  it("changes only the affected shards, which keep network and country", async () => {
    const lines = ["1.0.0.0/24", "1.16.0.0/24", "2a00:1:1::/48"];
    await importFeeds([{ name: "x4b-vpn-v4", kind: "vpn", lines }], now - day, geography);
    const before = await readInForce();
    const publisher = new Publisher().publish(
      "x4b-vpn-v4",
      "1.0.0.0/24\n1.16.128.0/24\n2a00:1:1::/48\n",
    );
    await publisher.refresh("x4b-vpn-v4", now);
    const after = await readInForce();
    const changed = [...after.shards].filter(([at, digest]) => before.shards.get(at) !== digest);
    expect(changed.map(([at]) => at)).toEqual([`4/${0x011}`]);
    expect((await lookUp("1.16.0.1", now)).facts).toEqual({
      kinds: [],
      threatGrade: 0,
      asn: 64501,
      country: "FR",
    });
    expect((await lookUp("1.16.128.1", now)).facts).toMatchObject({ kinds: ["vpn"], asn: 64501 });
    expect((await lookUp("1.0.0.1", now)).facts).toMatchObject({ kinds: ["vpn"], country: "DE" });
  });

  it("results in the same shards as an import of the same lists", async () => {
    const list = fc.array(
      fc
        .tuple(
          fc.integer({ min: 1, max: 2 }),
          fc.nat(255),
          fc.nat(255),
          fc.integer({ min: 8, max: 26 }),
        )
        .map(([first, second, third, bits]) => `${first}.${second}.${third}.0/${bits}`),
      { minLength: 4, maxLength: 7 },
    );
    const run = async (before: string[], after: string[], other: string[]) => {
      await emptyStore();
      const feeds = (lines: string[]) => [
        { name: "x4b-vpn-v4", kind: "vpn" as const, lines },
        { name: "own", kind: "hosting" as const, lines: other },
      ];
      await importFeeds(feeds(after), now, geography);
      const expected = (await readInForce()).shards;
      await importFeeds(feeds(before), now - day, geography);
      await new Publisher().publish("x4b-vpn-v4", after.join("\n")).refresh("x4b-vpn-v4", now);
      expect(await readInForce()).toMatchObject({ shards: expected });
      expect((await readFeedRecord("x4b-vpn-v4")).lastError).toBeNull();
    };
    await fc.assert(fc.asyncProperty(list, list, list, run), { numRuns: 20 });
  });

  it("creates shards for new networks, and drops shards that become empty", async () => {
    await importFeeds([{ name: "x4b-vpn-v4", kind: "vpn", lines: ["5.0.0.0/24"] }], now - day);
    const publisher = new Publisher().publish("x4b-vpn-v4", "6.0.0.0/8\n7.0.0.0/8\n");
    await publisher.refresh("x4b-vpn-v4", now);
    expect([...(await readInForce()).shards.keys()]).toEqual(
      Array.from({ length: 32 }, (_, index) => `4/${0x060 + index}`),
    );
    expect(await kindsOf("7.255.255.255", now)).toEqual(["vpn"]);
    expect(await kindsOf("5.0.0.1", now)).toEqual([]);
  });

  it("does not change the date of the geography", async () => {
    const lines = ["1.0.0.0/24"];
    await importFeeds([{ name: "x4b-vpn-v4", kind: "vpn", lines }], now - 80 * day, geography);
    await new Publisher().publish("x4b-vpn-v4", "1.0.1.0/24\n").refresh("x4b-vpn-v4", now);
    expect(await kindsOf("1.0.1.1", now)).toEqual(["vpn"]);
    expect((await readInForce()).builtAt).toBe(now - 80 * day);
    expect((await readFeedList()).builtAt).toBe(now);
    // The geography is too old by then, and the list is not.
    const { facts, degraded } = await lookUp("1.0.1.1", now + 11 * day);
    expect(facts).toMatchObject({ kinds: ["vpn"], asn: undefined, country: undefined });
    expect(degraded).toContain("geography");
    expect(degraded).not.toContain("vpn");
  });
});
