import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Address,
  addressBits,
  contains,
  type Family,
  formatAddress,
  type Network,
} from "../../../src/sentinel/network/address.ts";
import { type BuiltShard, buildShards, type Feed } from "../../../src/sentinel/network/build.ts";
import { type NetworkFacts, networkKinds } from "../../../src/sentinel/network/facts.ts";
import { FeedRanges } from "../../../src/sentinel/network/ranges.ts";
import {
  decodeShard,
  lookupShard,
  shardKey,
  shardOf,
} from "../../../src/sentinel/network/shard.ts";
import { address, feed, network } from "./support.ts";

const BUILT_AT_SECONDS = 1_787_000_000;

function find(shards: readonly BuiltShard[], target: Address): NetworkFacts | undefined {
  const { family, number } = shardOf(target);
  const shard = shards.find((one) => one.family === family && one.number === number);
  if (shard === undefined) return undefined;
  const answer = lookupShard(shard.bytes, target);
  if (answer.status === "corrupt") throw new Error(answer.reason);
  return answer.status === "found" ? answer.facts : undefined;
}

function lookup(feeds: readonly Feed[], text: string): NetworkFacts | undefined {
  return find(buildShards(feeds, BUILT_AT_SECONDS), address(text));
}

interface NaiveFeed {
  readonly kind: (typeof networkKinds)[number];
  readonly networks: readonly { readonly network: Network; readonly count: number }[];
}

/** The definition, word for word. */
function scan(feeds: readonly NaiveFeed[], target: Address): NetworkFacts | undefined {
  const covering = feeds.flatMap(({ kind, networks }) => {
    const counts = networks.filter((one) => contains(one.network, target)).map((one) => one.count);
    return counts.length === 0 ? [] : [{ kind, count: Math.max(...counts) }];
  });
  if (covering.length === 0) return undefined;
  const kinds = networkKinds.filter((kind) => covering.some((one) => one.kind === kind));
  const threats = covering.filter(({ kind }) => kind === "threat");
  const threatGrade = Math.min(
    15,
    threats.reduce((sum, { count }) => sum + count, 0),
  );
  return { kinds, threatGrade, asn: undefined, country: undefined };
}

/** Networks crowded around shard borders and the ends of the space, so that they overlap. */
function networks(family: Family): fc.Arbitrary<Network> {
  const bits = addressBits(family);
  const shardWidth = BigInt(family === 4 ? 20 : 108);
  const grain = BigInt(family === 4 ? 0 : 64);
  const space = 1n << BigInt(bits);
  const anchor = fc.constantFrom(0n, 0x011n << shardWidth, 0x012n << shardWidth, space - 1n);
  return fc
    .record({
      anchor,
      offset: fc.bigInt({ min: -600n, max: 600n }),
      prefix: fc.oneof(
        fc.integer({ min: bits - Number(grain) - 10, max: bits - Number(grain) }),
        fc.integer({ min: family === 4 ? 8 : 16, max: bits - Number(grain) }),
      ),
    })
    .map(({ anchor: base, offset, prefix }) => {
      const moved = base + (offset << grain);
      const value = moved < 0n ? 0n : moved >= space ? space - 1n : moved;
      return network(`${formatAddress(family, value)}/${prefix}`);
    })
    .filter((one) => one.family === family);
}

function naiveFeeds(family: Family): fc.Arbitrary<NaiveFeed[]> {
  const entry = fc.record({ network: networks(family), count: fc.integer({ min: 1, max: 9 }) });
  return fc.array(
    fc.record({
      kind: fc.constantFrom(...networkKinds, "threat" as const),
      networks: fc.array(entry, { minLength: 1, maxLength: 12 }),
    }),
    { minLength: 1, maxLength: 5 },
  );
}

function toFeeds(feeds: readonly NaiveFeed[]): Feed[] {
  return feeds.map(({ kind, networks: listed }) => {
    const ranges = new FeedRanges();
    for (const { network: one, count } of listed) {
      ranges.add(one.family, one.first, one.last, count);
    }
    return { kind, ranges };
  });
}

describe("the shards of some feeds", () => {
  it.each<Family>([4, 6])("agree with a linear scan at every IPv%i border", (family) => {
    const step = family === 4 ? 1n : 1n << 64n;
    const shardWidth = 1n << BigInt(family === 4 ? 20 : 108);
    const space = 1n << BigInt(addressBits(family));
    fc.assert(
      fc.property(naiveFeeds(family), (feeds) => {
        const shards = buildShards(toFeeds(feeds), BUILT_AT_SECONDS);
        for (const { network: one } of feeds.flatMap(({ networks: listed }) => listed)) {
          const border = (one.first / shardWidth + 1n) * shardWidth;
          const around = [one.first, one.last, border].flatMap((at) => [at - step, at, at + step]);
          for (const value of around) {
            if (value < 0n || value >= space) continue;
            const target: Address = { family, text: "", value, range: "unicast" };
            expect(find(shards, target)).toEqual(scan(feeds, target));
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("are whole, ascend, are never empty, and hold no two equal records in a row", () => {
    fc.assert(
      fc.property(naiveFeeds(4), naiveFeeds(6), (v4, v6) => {
        const shards = buildShards(toFeeds([...v4, ...v6]), BUILT_AT_SECONDS);
        const keys = shards.map(shardKey);
        expect(keys).toEqual([...new Set(keys)].sort());
        for (const shard of shards) {
          const decoded = decodeShard(shard.bytes, shard);
          if (decoded.status !== "ok") throw new Error(decoded.reason);
          const { records, builtAtSeconds } = decoded.shard;
          expect(builtAtSeconds).toBe(BUILT_AT_SECONDS);
          expect(records.length).toBe(shard.recordCount);
          expect(records.some(({ flags }) => flags !== 0)).toBe(true);
          for (const [index, record] of records.entries()) {
            const before = records[index - 1];
            if (before === undefined) continue;
            expect(record.start > before.start).toBe(true);
            expect(record.flags).not.toBe(before.flags);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it("carry the kinds of every feed that covers an address", () => {
    const feeds = [feed("vpn", "11.0.0.0/16"), feed("hosting", "11.0.0.0/8", "12.0.0.0/8")];
    expect(lookup(feeds, "11.0.1.1")?.kinds).toEqual(["hosting", "vpn"]);
    expect(lookup(feeds, "11.1.0.0")?.kinds).toEqual(["hosting"]);
    expect(lookup(feeds, "13.0.0.0")).toBeUndefined();
  });

  it("add the counts of threat feeds and stop at 15", () => {
    const feeds = [
      feed("threat", "11.0.0.1 4", "11.0.0.2 9"),
      feed("threat", "11.0.0.0/30"),
      feed("threat", "11.0.0.2 8"),
    ];
    expect(lookup(feeds, "11.0.0.1")?.threatGrade).toBe(5);
    expect(lookup(feeds, "11.0.0.2")?.threatGrade).toBe(15);
    expect(lookup(feeds, "11.0.0.3")?.threatGrade).toBe(1);
  });

  it("take the largest count when one feed repeats itself", () => {
    const feeds = [feed("threat", "11.0.0.1 2", "11.0.0.1 5", "11.0.0.0/24 3", "11.0.0.1 1")];
    expect(lookup(feeds, "11.0.0.1")?.threatGrade).toBe(5);
    expect(lookup(feeds, "11.0.0.2")?.threatGrade).toBe(3);
  });

  it("give feeds of other kinds no grade, whatever their counts", () => {
    expect(lookup([feed("scanner", "11.0.0.1 7")], "11.0.0.1")).toMatchObject({
      kinds: ["scanner"],
      threatGrade: 0,
    });
  });

  it("cover the whole /64 of a single IPv6 address", () => {
    const feeds = [feed("tor", "2a00:1:2:3::7")];
    expect(lookup(feeds, "2a00:1:2:3:ffff::")?.kinds).toEqual(["tor"]);
    expect(lookup(feeds, "2a00:1:2:4::")).toBeUndefined();
  });

  it("reach to the very last address of both families", () => {
    const feeds = [feed("vpn", "255.255.255.255", "ffff:ffff:ffff:ffff::/64")];
    expect(lookup(feeds, "255.255.255.255")?.kinds).toEqual(["vpn"]);
    expect(lookup(feeds, "255.255.255.254")).toBeUndefined();
    expect(lookup(feeds, "ffff:ffff:ffff:ffff::1")?.kinds).toEqual(["vpn"]);
  });

  it("are one record each where a network fills them", () => {
    const shards = buildShards([feed("hosting", "11.0.0.0/8")], BUILT_AT_SECONDS);
    expect(shards.map(({ number, recordCount }) => [number, recordCount])).toEqual(
      Array.from({ length: 16 }, (_, index) => [0x0b0 + index, 1]),
    );
  });

  it("are none when the feeds are empty", () => {
    expect(buildShards([], BUILT_AT_SECONDS)).toEqual([]);
    expect(buildShards([feed("vpn")], BUILT_AT_SECONDS)).toEqual([]);
  });
});
