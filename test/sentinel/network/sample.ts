/** A data set with every kind of address, and what is known of each. */
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import {
  address,
  factsOf,
  feed,
  geography,
  imported,
  keyOfShard,
  NOW,
  type WatchedStore,
} from "./support.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const PLACES = geography(["11.0.0.0/16,64500"], ["11.0.0.0/16,DE"]);
const FEEDS = [
  feed("vpn", "11.0.0.0/24"),
  feed("threat", "11.0.0.0/25 3", "99.0.0.9 2"),
  feed("tor", "2a00:1::/32"),
];
/** In a shard and in the table of threats. */
export const LISTED = address("11.0.0.7");
/** In a shard only. */
export const UNLISTED = address("11.0.1.7");
/** In the table of threats only. */
export const THREAT = address("99.0.0.9");
export const ELSEWHERE = address("99.0.0.1");

export const PLACE = { asn: 64_500, country: "DE" };
export const IN_SHARD = factsOf({ kinds: ["vpn"], ...PLACE });
export const IN_THREATS = factsOf({ kinds: ["threat"], threatGrade: 3 });
export const IN_BOTH = factsOf({ kinds: ["vpn", "threat"], threatGrade: 3, ...PLACE });
export const NOTHING = { facts: undefined, degraded: false };

export function whole(facts: unknown) {
  return { facts, degraded: false };
}

export function degraded(reason: string, facts?: unknown) {
  return { facts, degraded: true, reason };
}

export function dataSet(builtAt = NOW) {
  const values = imported(FEEDS, builtAt, PLACES);
  return { values, shardKey: keyOfShard(values, "11.0.0.7") };
}

/** Looks up with an isolate that has read the data set a while ago. */
export async function warm(store: WatchedStore, at = NOW): Promise<void> {
  await lookupNetwork(store, address("99.0.0.1"), at);
  store.reads.length = 0;
}

export function never(): Promise<ArrayBuffer | null> {
  return new Promise(() => {});
}
