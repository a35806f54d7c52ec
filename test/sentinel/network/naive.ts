/** A slow reference implementation of network data, and generators of feeds and tables to compare it with. */
import fc from "fast-check";
import {
  type Address,
  addressBits,
  contains,
  type Family,
  formatAddress,
  type Network,
} from "../../../src/sentinel/network/address.ts";
import type { Geography } from "../../../src/sentinel/network/build.ts";
import type { Feed } from "../../../src/sentinel/network/combine-feeds.ts";
import {
  encodeCountry,
  type NetworkFacts,
  type NetworkKind,
  networkKinds,
} from "../../../src/sentinel/network/network-facts.ts";
import { FeedRanges } from "../../../src/sentinel/network/ranges.ts";
import { networkOf } from "./support.ts";

export interface NaiveFeed {
  readonly kind: NetworkKind;
  readonly networks: readonly { readonly network: Network; readonly count: number }[];
}

export interface NaiveEntry<T> {
  readonly network: Network;
  readonly value: T;
}

export interface NaiveGeography {
  readonly asn: readonly NaiveEntry<number>[];
  readonly country: readonly NaiveEntry<string>[];
}

/** Kinds and grade of an address; undefined if no feed names it. */
export function scanFeeds(
  feeds: readonly NaiveFeed[],
  target: Address,
): Pick<NetworkFacts, "kinds" | "threatGrade"> | undefined {
  const covering = feeds.flatMap(({ kind, networks }) => {
    const counts = networks.filter((one) => contains(one.network, target)).map((one) => one.count);
    return counts.length === 0 ? [] : [{ kind, count: Math.max(...counts) }];
  });
  if (covering.length === 0) return undefined;
  const kinds = networkKinds.filter((kind) => covering.some((one) => one.kind === kind));
  const grades = covering.filter(({ kind }) => kind === "threat").map(({ count }) => count);
  const threatGrade = Math.min(
    15,
    grades.reduce((sum, count) => sum + count, 0),
  );
  return { kinds, threatGrade };
}

/** The value of the smallest network around an address; the last of several equal ones. */
export function scanTable<T>(table: readonly NaiveEntry<T>[], target: Address): T | undefined {
  const size = ({ network: { first, last } }: NaiveEntry<T>) => last - first;
  return table
    .filter((entry) => contains(entry.network, target))
    .reduce<NaiveEntry<T> | undefined>(
      (best, entry) => (best === undefined || size(entry) <= size(best) ? entry : best),
      undefined,
    )?.value;
}

export function scanAll(
  feeds: readonly NaiveFeed[],
  { asn, country }: NaiveGeography,
  target: Address,
): NetworkFacts | undefined {
  const listed = scanFeeds(feeds, target);
  const known = { asn: scanTable(asn, target), country: scanTable(country, target) };
  if (listed === undefined && known.asn === undefined && known.country === undefined) {
    return undefined;
  }
  return { ...(listed ?? { kinds: [], threatGrade: 0 }), ...known };
}

/** Networks near shard borders and the ends of the address space, so that they overlap. */
export function generateNetworks(family: Family): fc.Arbitrary<Network> {
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
      return networkOf(`${formatAddress(family, value)}/${prefix}`);
    })
    .filter((one) => one.family === family);
}

export function generateFeeds(
  family: Family,
  kinds: readonly NetworkKind[],
): fc.Arbitrary<NaiveFeed[]> {
  const entry = fc.record({
    network: generateNetworks(family),
    count: fc.integer({ min: 1, max: 9 }),
  });
  return fc.array(
    fc.record({
      kind: fc.constantFrom(...kinds),
      networks: fc.array(entry, { minLength: 1, maxLength: 12 }),
    }),
    { minLength: 1, maxLength: 5 },
  );
}

export function generateGeography(family: Family): fc.Arbitrary<NaiveGeography> {
  const entries = <T>(value: fc.Arbitrary<T>) =>
    fc.array(fc.record({ network: generateNetworks(family), value }), { maxLength: 12 });
  return fc.record({
    asn: entries(fc.constantFrom(64_500, 64_501, 0xffff_ffff)),
    country: entries(fc.constantFrom("DE", "FR", "ZZ")),
  });
}

export function toFeeds(feeds: readonly NaiveFeed[]): Feed[] {
  return feeds.map(({ kind, networks: listed }) => {
    const ranges = new FeedRanges();
    for (const { network: one, count } of listed) {
      ranges.add(one.family, one.first, one.last, count);
    }
    return { kind, ranges };
  });
}

function toTable<T>(table: readonly NaiveEntry<T>[], number: (value: T) => number) {
  const of = (family: Family) =>
    table
      .filter((entry) => entry.network.family === family)
      .map(({ network: { first, last }, value }) => {
        const shift = family === 4 ? 0n : 64n;
        return { first: first >> shift, last: last >> shift, value: number(value) };
      });
  return { 4: of(4), 6: of(6) };
}

export function toGeography({ asn, country }: NaiveGeography): Geography {
  return { asn: toTable(asn, (value) => value), country: toTable(country, encodeCountry) };
}

/** Addresses at and next to both ends of every network, and at the next shard border. */
export function listAddressesAround(family: Family, around: readonly Network[]): Address[] {
  const step = family === 4 ? 1n : 1n << 64n;
  const shardWidth = 1n << BigInt(family === 4 ? 20 : 108);
  const space = 1n << BigInt(addressBits(family));
  const values = around
    .flatMap(({ first, last }) => [first, last, (first / shardWidth + 1n) * shardWidth])
    .flatMap((at) => [at - step, at, at + step])
    .filter((value) => value >= 0n && value < space);
  return [...new Set(values)].map((value) => ({ family, text: "", value, range: "unicast" }));
}
