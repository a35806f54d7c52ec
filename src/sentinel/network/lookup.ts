/**
 * Looks up the network facts of an address. Start here to see how the data is read:
 *
 * 1. `current` names the data set in force and has the table of threats (current-data-set.ts, threats.ts). An
 *    isolate caches it.
 * 2. The shard of the address has its network, country and flags (shard.ts). It is one KV value.
 *
 * So a lookup makes at most two reads of KV. It never fails an assessment: with a store that fails, hangs or
 * has damaged data the answer is "degraded", and the facts of the other value still count. build.ts,
 * combine-feeds.ts and value-segments.ts build the data that is read here.
 */
import { awaitWithin, DeadlineError } from "../../deadline.ts";
import { type Address, isReserved } from "./address.ts";
import {
  type CurrentDataSet,
  currentKey,
  findDigest,
  openCurrent,
  readListTime,
} from "./current-data-set.ts";
import { type DataAge, judgeAges, nameKinds } from "./data-age.ts";
import {
  type DataKind,
  type DatedKind,
  dataKinds,
  datedKinds,
  decodeFacts,
  encodeCountry,
  encodeFlags,
  isFast,
  type NetworkFacts,
} from "./network-facts.ts";
import { lookUpInShard, shardKeyOf, shardOf } from "./shard.ts";
import { findThreatFlags } from "./threats.ts";

/** Why there is no evidence. */
export type DegradedReason =
  /** Nothing was imported yet, or a shard of the data set is gone. */
  | "missing"
  | "corrupt"
  /** KV answered with an error. */
  | "failed"
  | "timeout"
  /** The data is too old. */
  | "stale";

export interface NetworkLookup {
  /** Undefined if nothing is known or nothing could be read. */
  readonly facts: NetworkFacts | undefined;
  /** The kinds of data that no list was imported of, that could not be read, or that are too old. */
  readonly degraded: readonly DataKind[];
  /** Set if something could not be read or is too old, and if nothing was imported at all. */
  readonly reason?: DegradedReason;
}

/** The part of a KV namespace that a lookup needs. */
export interface NetworkStore {
  get(key: string, options: { type: "arrayBuffer"; cacheTtl: number }): Promise<ArrayBuffer | null>;
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** How long an isolate treats a cached data set as the newest. */
const freshMs = minuteMs;
/**
 * How long a lookup may take the shard from an older data set while it reads the newest one. Its shards stay in
 * KV for longer than that (feeds/data-set.ts).
 */
const usableMs = dayMs;
/** How long a Cloudflare location caches a value. A shard never changes. KV allows no less than 30 s. */
const currentTtlSeconds = 60;
const shardTtlSeconds = 24 * 60 * 60;
/** A login does not wait longer than this for one read. */
const readTimeoutMs = 1_000;

type Read<T> =
  | { readonly status: "value"; readonly value: T }
  | { readonly status: DegradedReason };

/** Data set per namespace, with the `now` of the request that read it. Data, never promises. */
const cachedSets = new WeakMap<NetworkStore, { current: CurrentDataSet; readAt: number }>();
/** Namespaces in which nothing was ever imported, and when that was seen. */
const emptySince = new WeakMap<NetworkStore, number>();

function isKnownEmpty(store: NetworkStore, now: number): boolean {
  const age = now - (emptySince.get(store) ?? Number.NEGATIVE_INFINITY);
  return age >= 0 && age < freshMs;
}

function findCached(
  store: NetworkStore,
  now: number,
  maxAgeMs: number,
): CurrentDataSet | undefined {
  const entry = cachedSets.get(store);
  if (entry === undefined) return undefined;
  const age = now - entry.readAt;
  return age >= 0 && age < maxAgeMs ? entry.current : undefined;
}

/** Whether a lookup needs to read only a shard. @param now real time, Unix ms */
export function isNetworkCached(store: NetworkStore, now: number): boolean {
  return isKnownEmpty(store, now) || findCached(store, now, usableMs) !== undefined;
}

async function read(store: NetworkStore, key: string, ttl: number): Promise<Read<Uint8Array>> {
  try {
    const options = { type: "arrayBuffer", cacheTtl: ttl } as const;
    const value = await awaitWithin(readTimeoutMs, store.get(key, options));
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
  cachedSets.set(store, { current, readAt: now });
  return { status: "value", value: current };
}

/** A read of the data set that has begun, for the lookup of the same request. */
export type Prefetched = Promise<Read<CurrentDataSet>> | undefined;

/**
 * Begins to read the data set if the isolate has none, so that the later lookup needs only the shard.
 * Never rejects.
 */
export function prefetchNetwork(store: NetworkStore, now: number): Prefetched {
  return isNetworkCached(store, now) ? undefined : readCurrent(store, now);
}

const shardKinds = datedKinds.filter((kind) => !isFast(kind));

function agesOf(current: CurrentDataSet, now: number): ReadonlyMap<DatedKind, DataAge> {
  return judgeAges((kind) => readListTime(current, kind), now);
}

async function readFactsInShard(
  store: NetworkStore,
  address: Address,
  current: CurrentDataSet,
  now: number,
): Promise<Read<NetworkFacts | undefined>> {
  const ages = agesOf(current, now);
  if (shardKinds.every((kind) => ages.get(kind) !== "fresh")) {
    return { status: "value", value: undefined };
  }
  const shard = shardOf(address);
  const digest = findDigest(current, shard);
  if (digest === undefined) return { status: "value", value: undefined };
  const found = await read(store, shardKeyOf(shard, digest), shardTtlSeconds);
  if (found.status !== "value") return found;
  const answer = lookUpInShard(found.value, address);
  if (answer.status === "corrupt") return { status: "corrupt" };
  return { status: "value", value: answer.status === "found" ? answer.facts : undefined };
}

/** The facts of both that are not too old; undefined if there are none. */
function mergeFacts(
  shard: NetworkFacts | undefined,
  threats: number,
  isFresh: (kind: DatedKind) => boolean,
): NetworkFacts | undefined {
  const listed = decodeFacts(0, 0, threats);
  const kinds = [...(shard?.kinds ?? []), ...(listed?.kinds ?? [])].filter(isFresh);
  return decodeFacts(
    isFresh("asn") ? (shard?.asn ?? 0) : 0,
    isFresh("country") ? encodeCountry(shard?.country) : 0,
    encodeFlags(kinds, isFresh("threat") ? (listed?.threatGrade ?? 0) : 0),
  );
}

/**
 * The facts about the network of an address. Never throws; takes two seconds at most. A reserved address is
 * in no data and is not looked up.
 * @param now real time, Unix ms
 * @param prefetched a read that has begun already (see `prefetchNetwork`)
 * @param mayWait whether a cached older data set is good enough, so that the newest one can wait
 */
export async function lookupNetwork(
  store: NetworkStore,
  address: Address,
  now: number,
  prefetched?: Prefetched,
  mayWait = false,
): Promise<NetworkLookup> {
  if (isReserved(address)) return { facts: undefined, degraded: [] };
  if (isKnownEmpty(store, now)) return degradedLookupOf("missing");
  const fresh = findCached(store, now, mayWait ? usableMs : freshMs);
  const usable = fresh ?? findCached(store, now, usableMs);
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
  const ages = agesOf(current, now);
  const isFresh = (kind: DatedKind) => ages.get(kind) === "fresh";
  const facts = mergeFacts(
    inShard.status === "value" ? inShard.value : undefined,
    findThreatFlags(current.threats, address),
    isFresh,
  );
  const isUnread = fresh === undefined && read.status !== "value";
  const isShardUnread = inShard.status !== "value";
  const lacking = datedKinds.filter(
    (kind) => isUnread || !isFresh(kind) || (isShardUnread && !isFast(kind)),
  );
  const failures = [
    inShard.status,
    [...ages.values()].includes("stale") ? ("stale" as const) : ("value" as const),
    ...(fresh === undefined ? [read.status] : []),
  ];
  const reason = failures.find((status) => status !== "value");
  const degraded = nameKinds(lacking);
  return reason === undefined ? { facts, degraded } : { facts, degraded, reason };
}

/** Without a data set every kind is missing. */
function degradedLookupOf(reason: DegradedReason): NetworkLookup {
  return { facts: undefined, degraded: dataKinds, reason };
}
