/** Imports network data, so that an assessment reads and searches a shard. */

import { parseNetwork } from "../../src/sentinel/network/address.ts";
import { buildShards, noGeography } from "../../src/sentinel/network/build.ts";
import type { Feed } from "../../src/sentinel/network/combine-feeds.ts";
import { currentKey, encodeCurrent } from "../../src/sentinel/network/current-data-set.ts";
import { FeedRanges } from "../../src/sentinel/network/ranges.ts";
import { shardKeyOf } from "../../src/sentinel/network/shard.ts";
import { buildThreatTable } from "../../src/sentinel/network/threats.ts";

/** Ranges of the shard. With the gaps between them it has about as many records as the mean shard (docs/sentinel-data.md). */
const ranges = 100;

/** Lists hosts of the users' /12, but no address of a user. */
function createHostingFeed(): Feed {
  const listed = new FeedRanges();
  for (let n = 0; n < ranges; n += 1) {
    const network = parseNetwork(`85.${16 + (n % 16)}.${n % 256}.128/25`);
    if (network === undefined) throw new Error("Not a network");
    listed.add(network.family, network.first, network.last, 1);
  }
  return { kind: "hosting", ranges: listed };
}

/** Writes a data set. @returns the size of its shard in bytes */
export async function importNetwork(kv: KVNamespace, now: number): Promise<number> {
  const feeds = [createHostingFeed()];
  const shards = buildShards(feeds, noGeography);
  let bytes = 0;
  for (const shard of shards) {
    await kv.put(shardKeyOf(shard, shard.digest), shard.bytes);
    bytes += shard.bytes.byteLength;
  }
  const times = { builtAt: now, threatsAt: 0, lists: { hosting: now } };
  await kv.put(currentKey, encodeCurrent(times, shards, buildThreatTable(feeds)));
  return bytes;
}
