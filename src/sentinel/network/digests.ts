/**
 * Which shards an import has to write: digests of what is stored, in a KV key of their own that
 * only importers read.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import type { BuiltShard } from "./build.ts";
import { keyPrefix, shardFormat, shardHeaderBytes, shardKey } from "./shard.ts";

export const digestsKey = `${keyPrefix}digests`;

/** Bytes of SHA-256 kept: enough that a changed shard is never taken for unchanged. */
const digestBytes = 8;

const digestsSchema = z.object({
  format: z.literal(shardFormat),
  shards: z.record(z.string(), z.string()),
});

/** KV key of each stored shard and the digest of its records. */
export type Digests = ReadonlyMap<string, string>;

export interface ImportPlan {
  readonly write: readonly { readonly key: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
  readonly unchanged: number;
  /** Keys of shards that the new data set does not have. */
  readonly remove: readonly string[];
  /**
   * To be stored before anything else is touched: only what stays true whatever happens. An
   * import that dies half-way then leaves no digest that vouches for a value it overwrote.
   */
  readonly digestsDuring: Digests;
  readonly digestsAfter: Digests;
}

/** `stored` are the shard keys that exist, `digests` what they are known to hold. */
export function planImport(
  built: readonly BuiltShard[],
  stored: ReadonlySet<string>,
  digests: Digests,
): ImportPlan {
  const write: { key: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
  const digestsDuring = new Map<string, string>();
  const digestsAfter = new Map<string, string>();
  for (const shard of built) {
    const key = shardKey(shard);
    const digest = shardDigest(shard.bytes);
    digestsAfter.set(key, digest);
    if (stored.has(key) && digests.get(key) === digest) digestsDuring.set(key, digest);
    else write.push({ key, bytes: shard.bytes });
  }
  const remove = [...stored].filter((key) => !digestsAfter.has(key));
  return { write, unchanged: digestsDuring.size, remove, digestsDuring, digestsAfter };
}

export function serializeDigests(digests: Digests): string {
  return JSON.stringify({ format: shardFormat, shards: Object.fromEntries(digests) });
}

/** Anything unreadable counts as "nothing known", so that everything is written again. */
export function parseDigests(text: string | undefined): Digests {
  if (text === undefined) return new Map();
  try {
    return new Map(Object.entries(digestsSchema.parse(JSON.parse(text)).shards));
  } catch {
    return new Map();
  }
}

/** Over the records only: the time of building in the header is no change. */
function shardDigest(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes.subarray(shardHeaderBytes)).subarray(0, digestBytes));
}
