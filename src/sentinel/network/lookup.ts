/**
 * Reads what KV knows about an address: the shard it is in, and the data set in force where that is
 * not in memory. Two reads at most. Reputation is evidence, never a gate: a store that fails, hangs or
 * holds damaged data makes the answer "degraded", never an exception, and what the other value says
 * still counts.
 */
import { DeadlineError, within } from "../../deadline.ts";
import { type Address, isReserved } from "./address.ts";
import { type CurrentDataSet, currentKey, findDigest, openCurrent } from "./current-data-set.ts";
import { decodeFacts, encodeCountry, encodeFlags, type NetworkFacts } from "./network-facts.ts";
import { lookUpInShard, shardKeyOf, shardOf } from "./shard.ts";
import { findThreatFlags } from "./threats.ts";

/** Why there is no evidence. */
export type DegradedReason =
  /** Nothing was ever imported, or a shard of the data set is gone. */
  | "missing"
  | "corrupt"
  /** KV answered with an error. */
  | "failed"
  | "timeout"
  /** The data is too old to be believed. */
  | "stale";

export interface NetworkLookup {
  /** What is known; undefined: nothing, or nothing could be read. */
  readonly facts: NetworkFacts | undefined;
  /** A part could not be read, or is too old. */
  readonly degraded: boolean;
  /** Present exactly when degraded. */
  readonly reason?: DegradedReason;
}

/** The part of a KV namespace that reading needs. */
export interface NetworkStore {
  get(key: string, options: { type: "arrayBuffer"; cacheTtl: number }): Promise<ArrayBuffer | null>;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** How long an isolate takes a data set for the newest. */
const freshMs = minuteMs;
/**
 * How long an older one still leads to the shard while the newest is read beside it: shorter than
 * shards outlive their data set (feeds/data-set.ts).
 */
const usableMs = dayMs;
/** How long a location keeps a value. A shard never changes; KV takes no less than 30 s. */
const currentTtlSeconds = 60;
const shardTtlSeconds = 24 * 60 * 60;
/** A login does not wait longer than this for reputation. */
const readTimeoutMs = 1_000;
/** Networks change hands within a season, listed addresses within days. */
const shardsStaleMs = 90 * dayMs;
const threatsStaleMs = 14 * dayMs;
/** What was made in the future beyond this was made by a broken clock, and would never grow old. */
const clockSkewMs = dayMs;

type Read<T> =
  | { readonly status: "value"; readonly value: T }
  | { readonly status: DegradedReason };

/** Data set per namespace, with the `now` of the request that read it. Data, never promises. */
const remembered = new WeakMap<NetworkStore, { current: CurrentDataSet; readAt: number }>();
/** Namespaces in which nothing was ever imported, and when that was seen. */
const emptySince = new WeakMap<NetworkStore, number>();

function isKnownEmpty(store: NetworkStore, now: number): boolean {
  const age = now - (emptySince.get(store) ?? Number.NEGATIVE_INFINITY);
  return age >= 0 && age < freshMs;
}

function recall(store: NetworkStore, now: number, maxAgeMs: number): CurrentDataSet | undefined {
  const entry = remembered.get(store);
  if (entry === undefined) return undefined;
  const age = now - entry.readAt;
  return age >= 0 && age < maxAgeMs ? entry.current : undefined;
}

/** Whether a lookup can do with a shard. `now` is real time, Unix ms. */
export function networkInMemory(store: NetworkStore, now: number): boolean {
  return isKnownEmpty(store, now) || recall(store, now, usableMs) !== undefined;
}

async function read(store: NetworkStore, key: string, ttl: number): Promise<Read<Uint8Array>> {
  try {
    const options = { type: "arrayBuffer", cacheTtl: ttl } as const;
    const value = await within(readTimeoutMs, store.get(key, options));
    return value === null
      ? { status: "missing" }
      : { status: "value", value: new Uint8Array(value) };
  } catch (error) {
    return { status: error instanceof DeadlineError ? "timeout" : "failed" };
  }
}

async function readCurrent(store: NetworkStore, now: number): Promise<Read<CurrentDataSet>> {
  const found = await read(store, currentKey, currentTtlSeconds);
  if (found.status === "missing") emptySince.set(store, now);
  else emptySince.delete(store);
  if (found.status !== "value") return found;
  const current = openCurrent(found.value);
  if (current === undefined) return { status: "corrupt" };
  remembered.set(store, { current, readAt: now });
  return { status: "value", value: current };
}

/** A data set that is being read; for the lookup of the same request. */
export type Prefetched = Promise<Read<CurrentDataSet>> | undefined;

/**
 * Begins to read the data set where an isolate has none, so that a lookup after it needs only the
 * shard. Never rejects.
 */
export function prefetchNetwork(store: NetworkStore, now: number): Prefetched {
  return networkInMemory(store, now) ? undefined : readCurrent(store, now);
}

function isStale(at: number, maxAgeMs: number, now: number): boolean {
  return now - at > maxAgeMs || at - now > clockSkewMs;
}

async function readFactsInShard(
  store: NetworkStore,
  address: Address,
  current: CurrentDataSet,
  now: number,
): Promise<Read<NetworkFacts | undefined>> {
  if (isStale(current.builtAt, shardsStaleMs, now)) return { status: "stale" };
  const shard = shardOf(address);
  const digest = findDigest(current, shard);
  if (digest === undefined) return { status: "value", value: undefined };
  const found = await read(store, shardKeyOf(shard, digest), shardTtlSeconds);
  if (found.status !== "value") return found;
  const answer = lookUpInShard(found.value, address);
  if (answer.status === "corrupt") return { status: "corrupt" };
  return { status: "value", value: answer.status === "found" ? answer.facts : undefined };
}

function findListedFlags(address: Address, current: CurrentDataSet, now: number): Read<number> {
  if (current.threatsAt === 0) return { status: "value", value: 0 };
  if (isStale(current.threatsAt, threatsStaleMs, now)) return { status: "stale" };
  return { status: "value", value: findThreatFlags(current.threats, address) };
}

/** What both know; undefined: neither anything. */
function mergeFacts(shard: NetworkFacts | undefined, threats: number): NetworkFacts | undefined {
  const listed = decodeFacts(0, 0, threats);
  if (shard === undefined || listed === undefined) return shard ?? listed;
  const kinds = [...shard.kinds, ...listed.kinds];
  return decodeFacts(
    shard.asn ?? 0,
    encodeCountry(shard.country),
    encodeFlags(kinds, listed.threatGrade),
  );
}

/**
 * What is known of the network of an address. `now` is real time, Unix ms. Never throws; takes two
 * seconds at most. Reserved addresses are in no data and are not looked up.
 * @param mayWait whether an older data set, where there is one, will do this time
 */
export async function lookupNetwork(
  store: NetworkStore,
  address: Address,
  now: number,
  prefetched?: Prefetched,
  mayWait = false,
): Promise<NetworkLookup> {
  if (isReserved(address)) return { facts: undefined, degraded: false };
  if (isKnownEmpty(store, now)) return degradedLookupOf("missing");
  const fresh = recall(store, now, mayWait ? usableMs : freshMs);
  const usable = fresh ?? recall(store, now, usableMs);
  const reading = fresh === undefined ? (prefetched ?? readCurrent(store, now)) : undefined;
  const [shard, newest] = await Promise.all([
    usable === undefined ? undefined : readFactsInShard(store, address, usable, now),
    reading,
  ]);
  const read = newest ?? { status: "missing" as const };
  const current = fresh ?? (read.status === "value" ? read.value : usable);
  if (current === undefined)
    return degradedLookupOf(read.status === "value" ? "missing" : read.status);
  const inShard = shard ?? (await readFactsInShard(store, address, current, now));
  const inThreats = findListedFlags(address, current, now);
  const facts = mergeFacts(
    inShard.status === "value" ? inShard.value : undefined,
    inThreats.status === "value" ? inThreats.value : 0,
  );
  const failures = [
    inShard.status,
    inThreats.status,
    ...(fresh === undefined ? [read.status] : []),
  ];
  const reason = failures.find((status) => status !== "value");
  return reason === undefined ? { facts, degraded: false } : { ...degradedLookupOf(reason), facts };
}

function degradedLookupOf(reason: DegradedReason): NetworkLookup {
  return { facts: undefined, degraded: true, reason };
}
