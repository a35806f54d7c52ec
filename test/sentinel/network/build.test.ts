import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Family } from "../../../src/sentinel/network/address.ts";
import {
  buildShard,
  buildShards,
  noGeography,
  replaceFlags,
  sliceFlags,
  slowFeedsOf,
} from "../../../src/sentinel/network/build.ts";
import { combineFeeds, type Feed } from "../../../src/sentinel/network/combine-feeds.ts";
import {
  isFast,
  type NetworkFacts,
  networkKinds,
} from "../../../src/sentinel/network/network-facts.ts";
import { decodeShard, shardKeyOf } from "../../../src/sentinel/network/shard.ts";
import {
  generateFeeds,
  generateGeography,
  listAddressesAround,
  scanAll,
  toFeeds,
  toGeography,
} from "./naive.ts";
import { addressOf, factsOf, feedOf, findInShards, geographyOf } from "./support.ts";

const slowKinds = networkKinds.filter((kind) => !isFast(kind));

function lookUp(feeds: readonly Feed[], text: string, geography = noGeography) {
  return findInShards(buildShards(feeds, geography), addressOf(text));
}

describe("The shards of feeds and geography", () => {
  it.each<Family>([4, 6])("agree with a linear scan at every IPv%i border", (family) => {
    fc.assert(
      fc.property(
        generateFeeds(family, slowKinds),
        generateGeography(family),
        (feeds, geography) => {
          const shards = buildShards(toFeeds(feeds), toGeography(geography));
          const listed = [
            ...feeds.flatMap(({ networks }) => networks),
            ...geography.asn,
            ...geography.country,
          ];
          for (const target of listAddressesAround(
            family,
            listed.map(({ network }) => network),
          )) {
            expect(findInShards(shards, target)).toEqual(scanAll(feeds, geography, target));
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  it("are valid and ascending, and contain no empty shard and no repeated record", () => {
    const feeds = fc.tuple(generateFeeds(4, slowKinds), generateFeeds(6, slowKinds));
    fc.assert(
      fc.property(feeds, generateGeography(4), ([v4, v6], geography) => {
        const shards = buildShards(toFeeds([...v4, ...v6]), toGeography(geography));
        const keys = shards.map((shard) => shardKeyOf(shard, shard.digest));
        expect(keys).toEqual([...new Set(keys)].sort());
        for (const shard of shards) {
          const decoded = decodeShard(shard.bytes, shard);
          if (decoded.status !== "ok") throw new Error(decoded.reason);
          const { records } = decoded.shard;
          expect(records.length).toBe(shard.recordCount);
          expect(records.some((one) => one.flags + one.asn + one.country !== 0)).toBe(true);
          for (const [index, record] of records.entries()) {
            const before = records[index - 1];
            if (before === undefined) continue;
            expect(record.start > before.start).toBe(true);
            expect({ ...record, start: 0n }).not.toEqual({ ...before, start: 0n });
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("have equal digests exactly when their contents are equal", () => {
    const before = buildShards([feedOf("vpn", "11.0.0.0/24", "12.0.0.0/24", "2a00::/32")]);
    const again = buildShards([feedOf("vpn", "12.0.0.0/24", "2a00::/32", "11.0.0.0/24")]);
    const after = buildShards([feedOf("vpn", "11.0.0.0/24", "12.0.0.0/25", "2a00::/32")]);
    const digests = (shards: typeof before) => shards.map(({ digest }) => digest);
    expect(digests(again)).toEqual(digests(before));
    expect(digests(after).map((digest, at) => digest === digests(before)[at])).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("give the kinds of every feed that covers an address", () => {
    const feeds = [feedOf("vpn", "11.0.0.0/16"), feedOf("hosting", "11.0.0.0/8", "12.0.0.0/8")];
    expect(lookUp(feeds, "11.0.1.1")?.kinds).toEqual(["hosting", "vpn"]);
    expect(lookUp(feeds, "11.1.0.0")?.kinds).toEqual(["hosting"]);
    expect(lookUp(feeds, "13.0.0.0")).toBeUndefined();
  });

  it("cover the whole /64 of a single IPv6 address", () => {
    const feeds = [feedOf("relay", "2a00:1:2:3::7")];
    expect(lookUp(feeds, "2a00:1:2:3:ffff::")?.kinds).toEqual(["relay"]);
    expect(lookUp(feeds, "2a00:1:2:4::")).toBeUndefined();
  });

  it("cover the last address of both families", () => {
    const feeds = [feedOf("vpn", "255.255.255.255", "ffff:ffff:ffff:ffff::/64")];
    expect(lookUp(feeds, "255.255.255.255")?.kinds).toEqual(["vpn"]);
    expect(lookUp(feeds, "255.255.255.254")).toBeUndefined();
    expect(lookUp(feeds, "ffff:ffff:ffff:ffff::1")?.kinds).toEqual(["vpn"]);
  });

  it("have one record each when a network fills them", () => {
    const shards = buildShards([feedOf("hosting", "11.0.0.0/8")]);
    expect(shards.map(({ number, recordCount }) => [number, recordCount])).toEqual(
      Array.from({ length: 16 }, (_, index) => [0x0b0 + index, 1]),
    );
  });

  it("give network and country when no list names the address", () => {
    const geography = geographyOf(["11.0.0.0/8,64500", "2a00::/32,64501"], ["11.0.0.0/9,DE"]);
    const feeds = [feedOf("vpn", "11.0.0.0/24")];
    const known = { asn: 64_500, country: "DE" };
    expect(lookUp(feeds, "11.0.0.1", geography)).toEqual(factsOf({ kinds: ["vpn"], ...known }));
    expect(lookUp(feeds, "11.0.1.1", geography)).toEqual(factsOf(known));
    expect(lookUp(feeds, "11.200.0.1", geography)).toEqual(factsOf({ asn: 64_500 }));
    expect(lookUp(feeds, "2a00::1", geography)).toEqual(factsOf({ asn: 64_501 }));
    expect(lookUp(feeds, "12.0.0.1", geography)).toBeUndefined();
  });

  it("use the narrower of two nested geography ranges", () => {
    const geography = geographyOf(
      ["11.0.0.0/8,1", "11.0.1.0/24,2"],
      ["11.0.1.128/25,FR", "11.0.0.0/8,DE"],
    );
    expect(lookUp([], "11.0.0.255", geography)).toMatchObject({ asn: 1, country: "DE" });
    expect(lookUp([], "11.0.1.0", geography)).toMatchObject({ asn: 2, country: "DE" });
    expect(lookUp([], "11.0.1.255", geography)).toMatchObject({ asn: 2, country: "FR" });
    expect(lookUp([], "11.0.2.0", geography)).toMatchObject({ asn: 1, country: "DE" });
  });

  it("omit the lists that change within hours", () => {
    const feeds = [
      feedOf("tor", "11.0.0.1"),
      feedOf("threat", "11.0.0.1"),
      feedOf("scanner", "11.0.0.1"),
    ];
    expect(buildShards(feeds)).toEqual([]);
    expect(slowFeedsOf([...feeds, feedOf("vpn")]).map(({ kind }) => kind)).toEqual(["vpn"]);
  });

  it("do not exist when the feeds are empty", () => {
    expect(buildShards([])).toEqual([]);
    expect(buildShards([feedOf("vpn")])).toEqual([]);
  });
});

describe("Shards with replaced flags", () => {
  it.each<Family>([4, 6])("equal shards that are built from scratch, in IPv%i", (family) => {
    const feeds = fc.tuple(generateFeeds(family, slowKinds), generateFeeds(family, slowKinds));
    fc.assert(
      fc.property(feeds, generateGeography(family), ([before, after], geography) => {
        const old = buildShards(toFeeds(before), toGeography(geography));
        const rebuilt = buildShards(toFeeds(after), toGeography(geography));
        const segments = combineFeeds(family, slowFeedsOf(toFeeds(after)));
        for (const shard of old) {
          const decoded = decodeShard(shard.bytes, shard);
          if (decoded.status !== "ok") throw new Error(decoded.reason);
          const records = replaceFlags(decoded.shard.records, sliceFlags(shard, segments));
          const expected = rebuilt.find(({ number }) => number === shard.number);
          const found = buildShard(shard, records);
          if (expected === undefined) expect(records.map(({ flags }) => flags)).toEqual([0]);
          else expect(found).toEqual(expected);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("keep their network and country", () => {
    const geography = geographyOf(["11.0.0.0/24,64500"], ["11.0.0.0/24,DE"]);
    const [shard] = buildShards([feedOf("vpn", "11.0.0.0/25")], geography);
    if (shard === undefined) throw new Error("no shard");
    const decoded = decodeShard(shard.bytes, shard);
    if (decoded.status !== "ok") throw new Error(decoded.reason);
    const segments = combineFeeds(4, [feedOf("relay", "11.0.0.128/25")]);
    const after = buildShard(
      shard,
      replaceFlags(decoded.shard.records, sliceFlags(shard, segments)),
    );
    const known = { asn: 64_500, country: "DE" };
    const find = (text: string): NetworkFacts | undefined => findInShards([after], addressOf(text));
    expect(find("11.0.0.1")).toEqual(factsOf(known));
    expect(find("11.0.0.200")).toEqual(factsOf({ kinds: ["relay"], ...known }));
  });
});
