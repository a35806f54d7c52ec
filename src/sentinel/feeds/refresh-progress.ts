/**
 * What a refresh has begun and not ended: the feeds it took, and the shards that are made of them so
 * far. A run may not touch every shard there is, so the next one goes on with the same feeds; were
 * they fetched anew each time, a list that changes hourly would never get through.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import { isFast } from "../network/network-facts.ts";
import { networkKeyPrefix } from "../network/shard.ts";
import { type FeedList, type FeedRecord, feedRecordSchema } from "./feed-record.ts";

export const pendingKey = `${networkKeyPrefix}pending`;

const pendingSchema = z.object({
  /** When, Unix ms; a data set put in force later knows nothing of it. */
  at: z.int(),
  /** Of what the shards in force were made of; of anything else this is no continuation. */
  base: z.string(),
  /** As they will be listed. */
  feeds: z.array(feedRecordSchema),
  /** Shards that are written; null: nothing is known there any more. */
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

/** Undefined where the bytes are no such thing. Never throws. */
export function parseProgress(bytes: Uint8Array): RefreshProgress | undefined {
  try {
    return pendingSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

/** Where a feed's data goes: the shards with their flags, the table of threats, or geography. */
export function destinationOf({
  kind,
}: Pick<FeedRecord, "kind">): "shards" | "threats" | "geography" {
  if (kind === "asn" || kind === "country") return "geography";
  return isFast(kind) ? "threats" : "shards";
}

function isInShards(feed: FeedRecord): boolean {
  return destinationOf(feed) === "shards" && feed.value !== null;
}

/** A digest of all that shards are made of. */
export function baseDigestOf({ feeds }: FeedList): string {
  const parts = feeds
    .filter((feed) => destinationOf(feed) === "geography" || isInShards(feed))
    .map(({ name, kind, value, sha256: text }) => JSON.stringify([name, kind, value ?? text]))
    .toSorted();
  return bytesToHex(sha256(new TextEncoder().encode(parts.join("\n"))));
}
