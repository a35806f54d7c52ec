/** A sample data set, an address for every case, and the facts expected of each. */
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import { type DataKind, dataKinds, isFast } from "../../../src/sentinel/network/network-facts.ts";
import {
  addressOf,
  encodeDataSet,
  factsOf,
  feedOf,
  geographyOf,
  keyOfShard,
  NOW,
  type WatchedStore,
} from "./support.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const GEOGRAPHY = geographyOf(["11.0.0.0/16,64500"], ["11.0.0.0/16,DE"]);
const FEEDS = [
  feedOf("vpn", "11.0.0.0/24"),
  feedOf("threat", "11.0.0.0/25 3", "99.0.0.9 2"),
  feedOf("tor", "2a00:1::/32"),
];
/** In a shard and in the table of threats. */
export const LISTED = addressOf("11.0.0.7");
/** In a shard only. */
export const UNLISTED = addressOf("11.0.1.7");
/** In the table of threats only. */
export const THREAT = addressOf("99.0.0.9");
export const ELSEWHERE = addressOf("99.0.0.1");

export const ORIGIN = { asn: 64_500, country: "DE" };
export const IN_SHARD = factsOf({ kinds: ["vpn"], ...ORIGIN });
export const IN_THREATS = factsOf({ kinds: ["threat"], threatGrade: 3 });
export const IN_BOTH = factsOf({ kinds: ["vpn", "threat"], threatGrade: 3, ...ORIGIN });
/** The kinds of data in shards, and those in the table of threats. */
export const SHARD_KINDS = dataKinds.filter((kind) => kind === "geography" || !isFast(kind));
export const FAST_KINDS = dataKinds.filter((kind) => !SHARD_KINDS.includes(kind));
export const NOTHING = { facts: undefined, degraded: [] };

export function completeLookupOf(facts: unknown) {
  return { facts, degraded: [] };
}

/** @param degraded the kinds that are missing or stale; by default all */
export function degradedLookupOf(
  reason: string,
  facts?: unknown,
  degraded: readonly DataKind[] = dataKinds,
) {
  return { facts, degraded, reason };
}

export function buildDataSet(builtAt = NOW) {
  const values = encodeDataSet(FEEDS, builtAt, GEOGRAPHY);
  return { values, shardKey: keyOfShard(values, "11.0.0.7") };
}

/** Lets the isolate cache the data set, and clears the recorded reads. */
export async function warmUp(store: WatchedStore, at = NOW): Promise<void> {
  await lookupNetwork(store, addressOf("99.0.0.1"), at);
  store.reads.length = 0;
}

export function hangForever(): Promise<ArrayBuffer | null> {
  return new Promise(() => {});
}
