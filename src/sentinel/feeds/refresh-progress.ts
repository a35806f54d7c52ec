/**
 * The progress of an unfinished refresh: the feeds that it accepted, and the shards rebuilt from them so far.
 * One run cannot rebuild every shard, so the next run continues with the same feeds. If each run fetched them
 * again, a list that changes every hour would never come into force.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import { isFast } from "../network/network-facts.ts";
import { networkKeyPrefix } from "../network/shard.ts";
import { type FeedList, type FeedRecord, feedRecordSchema } from "./feed-record.ts";

export const pendingKey = `${networkKeyPrefix}pending`;

const pendingSchema = z.object({
  /** When the run began, Unix ms. It is obsolete once a newer data set is in force. */
  at: z.int(),
  /** Digest of what the shards in force were built from. With any other data set this is obsolete. */
  base: z.string(),
  /** The records that will be listed. */
  feeds: z.array(feedRecordSchema),
  /** The shards that are written. A null digest: the shard has no facts any more. */
  shards: z.array(
    z.object({
      family: z.literal([4, 6]),
      number: z.int().min(0),
      digest: z.string().nullable(),
    }),
  ),
});
export type RefreshProgress = Readonly<z.infer<typeof pendingSchema>>;

export function serializeProgress(pending: RefreshProgress): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(pending));
}

/** Undefined if the bytes are damaged. Never throws. */
export function parseProgress(bytes: Uint8Array): RefreshProgress | undefined {
  try {
    return pendingSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

/** The part of a data set that contains a feed: the flags of shards, the table of threats, or geography. */
export type Destination = "shards" | "threats" | "geography";

export function destinationOf({ kind }: Pick<FeedRecord, "kind">): Destination {
  if (kind === "asn" || kind === "country") return "geography";
  return isFast(kind) ? "threats" : "shards";
}

function isInShards(feed: FeedRecord): boolean {
  return destinationOf(feed) === "shards" && feed.value !== null;
}

/** A digest of everything that the shards are built from, hex. */
export function baseDigestOf({ feeds }: FeedList): string {
  const parts = feeds
    .filter((feed) => destinationOf(feed) === "geography" || isInShards(feed))
    .map(({ name, kind, value, sha256: text }) => JSON.stringify([name, kind, value ?? text]))
    .toSorted();
  return bytesToHex(sha256(new TextEncoder().encode(parts.join("\n"))));
}
