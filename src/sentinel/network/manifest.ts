/**
 * The manifest of the network data in KV: when it was built, from which feeds, and which shards
 * there are, so that a reader can tell "nothing known here" from "shard lost".
 */
import { base64 } from "@scure/base";
import { z } from "zod";
import { networkKinds } from "./facts.ts";
import { keyPrefix, type ShardId, shardBits, shardFormat } from "./shard.ts";

export const manifestKey = `${keyPrefix}manifest`;

/** One bit per IPv4 shard, most significant bit first. */
const v4BitmapBytes = (1 << shardBits[4]) / 8;
/** Hexadecimal digits of an IPv6 shard number. */
const v6ShardDigits = shardBits[6] / 4;

const feedSummarySchema = z.object({
  name: z.string(),
  kind: z.enum(networkKinds),
  /** File name without folders: the rest is nobody's business. */
  source: z.string(),
  rows: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
  sha256: z.string().optional(),
});

const manifestSchema = z.object({
  format: z.literal(shardFormat),
  built_at: z.int().nonnegative(),
  feeds: z.array(feedSummarySchema),
  shards: z.object({ v4: z.string(), v6: z.string() }),
});

/** What is kept of a feed that was imported. */
export type FeedSummary = z.infer<typeof feedSummarySchema>;

export interface Manifest {
  /** Unix ms. */
  readonly builtAt: number;
  readonly feeds: readonly FeedSummary[];
  /** Bitmap of the IPv4 shards. */
  readonly v4: Uint8Array;
  /** Ascending IPv6 shard numbers, five hexadecimal digits each, without separator. */
  readonly v6: string;
}

/** The manifest of a data set. `shards` in any order. */
export function createManifest(
  builtAt: number,
  feeds: readonly FeedSummary[],
  shards: readonly ShardId[],
): Manifest {
  const v4 = new Uint8Array(v4BitmapBytes);
  const v6: number[] = [];
  for (const { family, number } of shards) {
    if (family === 6) v6.push(number);
    else v4[number >> 3] = (v4[number >> 3] ?? 0) | (0x80 >> (number & 7));
  }
  v6.sort((a, b) => a - b);
  return { builtAt, feeds, v4, v6: v6.map(v6Digits).join("") };
}

export function serializeManifest({ builtAt, feeds, v4, v6 }: Manifest): string {
  const shards = { v4: base64.encode(v4), v6 };
  return JSON.stringify({ format: shardFormat, built_at: builtAt, feeds, shards });
}

/** Reads a manifest; undefined when the text is anything else. Never throws. */
export function parseManifest(text: string): Manifest | undefined {
  try {
    const { built_at: builtAt, feeds, shards } = manifestSchema.parse(JSON.parse(text));
    const v4 = base64.decode(shards.v4);
    if (v4.length !== v4BitmapBytes) return undefined;
    if (shards.v6.length % v6ShardDigits !== 0 || /[^0-9a-f]/.test(shards.v6)) return undefined;
    return { builtAt, feeds, v4, v6: shards.v6 };
  } catch {
    return undefined;
  }
}

/** Whether the data set has a value for the shard. */
export function hasShard(manifest: Manifest, { family, number }: ShardId): boolean {
  if (family === 4) return ((manifest.v4[number >> 3] ?? 0) & (0x80 >> (number & 7))) !== 0;
  // Digits of fixed width sort like the numbers, so the text is searched as it is.
  const wanted = v6Digits(number);
  let below = 0;
  let above = manifest.v6.length / v6ShardDigits;
  while (below < above) {
    const middle = (below + above) >>> 1;
    const found = manifest.v6.slice(middle * v6ShardDigits, (middle + 1) * v6ShardDigits);
    if (found === wanted) return true;
    if (found < wanted) below = middle + 1;
    else above = middle;
  }
  return false;
}

function v6Digits(number: number): string {
  return number.toString(16).padStart(v6ShardDigits, "0");
}
