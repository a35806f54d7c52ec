/** Feeds, addresses and stores that the tests of network data share. */
import {
  type Address,
  type Network,
  parseAddress,
  parseNetwork,
} from "../../../src/sentinel/network/address.ts";
import { type BuiltShard, buildShards, type Feed } from "../../../src/sentinel/network/build.ts";
import type { NetworkKind } from "../../../src/sentinel/network/facts.ts";
import type { NetworkStore } from "../../../src/sentinel/network/lookup.ts";
import {
  createManifest,
  manifestKey,
  serializeManifest,
} from "../../../src/sentinel/network/manifest.ts";
import { FeedRanges } from "../../../src/sentinel/network/ranges.ts";
import { shardKey } from "../../../src/sentinel/network/shard.ts";

/** Any instant; the tests carry their own clock. */
export const NOW = Date.UTC(2026, 7, 22, 12);

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === undefined) throw new Error(`not a network: ${text}`);
  return parsed;
}

/** A feed of networks, each optionally followed by a space and a count. */
export function feed(kind: NetworkKind, ...lines: string[]): Feed {
  const ranges = new FeedRanges();
  for (const line of lines) {
    const [text = "", count = "1"] = line.split(" ");
    const { family, first, last } = network(text);
    ranges.add(family, first, last, Number(count));
  }
  return { kind, ranges };
}

/** The keys and values that an import of the feeds leaves in KV. */
export function imported(feeds: readonly Feed[], builtAt: number): Map<string, Uint8Array> {
  const shards: BuiltShard[] = buildShards(feeds, Math.floor(builtAt / 1000));
  const values = new Map<string, Uint8Array>();
  for (const shard of shards) values.set(shardKey(shard), shard.bytes);
  const manifest = serializeManifest(createManifest(builtAt, [], shards));
  values.set(manifestKey, new TextEncoder().encode(manifest));
  return values;
}

/** Stands in for KV where it has to fail, hang, or be watched. */
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
