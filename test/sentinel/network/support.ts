/** Feeds, addresses and stores for the tests of network data. */
import { env } from "cloudflare:workers";
import {
  type Address,
  type Network,
  parseAddress,
  parseNetwork,
} from "../../../src/sentinel/network/address.ts";
import {
  type BuiltShard,
  buildShards,
  type Geography,
  noGeography,
} from "../../../src/sentinel/network/build.ts";
import type { Feed } from "../../../src/sentinel/network/combine-feeds.ts";
import { currentKey, encodeCurrent } from "../../../src/sentinel/network/current-data-set.ts";
import { createTableParser } from "../../../src/sentinel/network/geography.ts";
import type { NetworkStore } from "../../../src/sentinel/network/lookup.ts";
import {
  datedKinds,
  isFast,
  type ListTimes,
  type NetworkFacts,
  type NetworkKind,
} from "../../../src/sentinel/network/network-facts.ts";
import { FeedRanges } from "../../../src/sentinel/network/ranges.ts";
import { lookUpInShard, shardKeyOf, shardOf } from "../../../src/sentinel/network/shard.ts";
import { buildThreatTable } from "../../../src/sentinel/network/threats.ts";

/** The current time in these tests, Unix ms. */
export const NOW = Date.UTC(2026, 7, 22, 12);

export function addressOf(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function networkOf(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`not a network: ${text}`);
  return parsed;
}

/** A feed of lines `network` or `network count`. */
export function feedOf(kind: NetworkKind, ...lines: string[]): Feed {
  const ranges = new FeedRanges();
  for (const line of lines) {
    const [text = "", count = "1"] = line.split(" ");
    const { family, first, last } = networkOf(text);
    ranges.add(family, first, last, Number(count));
  }
  return { kind, ranges };
}

/** Geography from lines `network,ASN` and lines `network,country`. */
export function geographyOf(asn: readonly string[], country: readonly string[] = []): Geography {
  const table = (kind: "asn" | "country", lines: readonly string[]) => {
    const parser = createTableParser(kind);
    parser.push(lines.join("\n"));
    const { ranges, badLines } = parser.finish();
    if (badLines.length > 0) throw new Error(`not a line: ${JSON.stringify(badLines)}`);
    return ranges;
  };
  return { asn: table("asn", asn), country: table("country", country) };
}

/** The facts that the shards contain of an address. */
export function findInShards(
  shards: readonly BuiltShard[],
  target: Address,
): NetworkFacts | undefined {
  const { family, number } = shardOf(target);
  const shard = shards.find((one) => one.family === family && one.number === number);
  if (shard === undefined) return undefined;
  const answer = lookUpInShard(shard.bytes, target);
  if (answer.status === "corrupt") throw new Error(answer.reason);
  return answer.status === "found" ? answer.facts : undefined;
}

/** Facts with only the given fields known. */
export function factsOf(known: Partial<NetworkFacts>): NetworkFacts {
  return { kinds: [], threatGrade: 0, asn: undefined, country: undefined, ...known };
}

/** The times of a data set that has lists of every kind, all fetched at this time. */
export function fetchedAllAt(at: number): ListTimes {
  return Object.fromEntries(datedKinds.map((kind) => [kind, at]));
}

/**
 * The keys and values of a data set in KV that a lookup reads.
 * @param lists when the lists of each kind were fetched; by default there are lists of every kind
 */
export function encodeDataSet(
  feeds: readonly Feed[],
  builtAt: number,
  geography: Geography = noGeography,
  lists: ListTimes = fetchedAllAt(builtAt),
): Map<string, Uint8Array> {
  const shards = buildShards(feeds, geography);
  const threatsAt = feeds.some(({ kind }) => isFast(kind)) ? builtAt : 0;
  const current = encodeCurrent({ builtAt, threatsAt, lists }, shards, buildThreatTable(feeds));
  const values = new Map<string, Uint8Array>([[currentKey, current]]);
  for (const shard of shards) values.set(shardKeyOf(shard, shard.digest), shard.bytes);
  return values;
}

/** Replaces the data set in KV. */
export async function storeNetwork(values: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const { keys } = await env.IP_REPUTATION.list({ prefix: "net/" });
  for (const { name } of keys) await env.IP_REPUTATION.delete(name);
  for (const [key, value] of values) await env.IP_REPUTATION.put(key, value);
}

/** The key of an address's shard. */
export function keyOfShard(values: ReadonlyMap<string, unknown>, text: string): string {
  const prefix = shardKeyOf(shardOf(addressOf(text)), "");
  const key = [...values.keys()].find((one) => one.startsWith(prefix));
  if (key === undefined) throw new Error(`no shard for ${text}`);
  return key;
}

/** A KV that records its reads and can fail or hang. */
export class WatchedStore implements NetworkStore {
  readonly reads: string[] = [];
  readonly cacheTtls: number[] = [];
  private readonly values: ReadonlyMap<string, Uint8Array>;
  private readonly fault: ((key: string) => Promise<ArrayBuffer | null> | undefined) | undefined;

  constructor(
    values: ReadonlyMap<string, Uint8Array>,
    fault?: (key: string) => Promise<ArrayBuffer | null> | undefined,
  ) {
    this.values = values;
    this.fault = fault;
  }

  get(
    key: string,
    options: { type: "arrayBuffer"; cacheTtl: number },
  ): Promise<ArrayBuffer | null> {
    this.reads.push(key);
    this.cacheTtls.push(options.cacheTtl);
    const value = this.values.get(key);
    const answer = value === undefined ? null : new Uint8Array(value).buffer;
    return this.fault?.(key) ?? Promise.resolve(answer);
  }
}
