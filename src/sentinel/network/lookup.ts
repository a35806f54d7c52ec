/**
 * Reads what KV knows about an address. At most two reads, at the same time; one while the
 * manifest is remembered. Reputation is evidence, never a gate: a store that fails, hangs or
 * holds damaged data makes the answer "degraded", never an exception.
 */
import { DeadlineError, within } from "../../deadline.ts";
import { type Address, isReserved } from "./address.ts";
import type { NetworkFacts } from "./facts.ts";
import { hasShard, type Manifest, manifestKey, parseManifest } from "./manifest.ts";
import { lookupShard, shardKey, shardOf } from "./shard.ts";

/** Why there is no evidence. */
export type DegradedReason =
  /** Nothing was ever imported, or a shard that the manifest names is gone. */
  | "missing"
  | "corrupt"
  /** KV answered with an error. */
  | "failed"
  | "timeout"
  /** The last import is too old to be believed. */
  | "stale";

export interface NetworkLookup {
  /** Undefined when nothing is known of the address, and whenever degraded. */
  readonly facts: NetworkFacts | undefined;
  readonly degraded: boolean;
  /** Present exactly when degraded. */
  readonly reason?: DegradedReason;
}

/** The part of a KV namespace that reading needs. */
export interface NetworkStore {
  get(key: string, options: { type: "arrayBuffer"; cacheTtl: number }): Promise<ArrayBuffer | null>;
}

/** How long an isolate trusts a manifest it has read. */
const manifestMemoryMs = 60_000;
/** How long a location keeps a value, found or not; KV takes no less than 30 s. */
const cacheTtlSeconds = 60;
/** A login does not wait longer than this for reputation. */
const readTimeoutMs = 1_000;
/** Addresses change hands; a list of last season accuses the wrong people. */
const staleAfterMs = 30 * 24 * 60 * 60 * 1_000;
/** What was made in the future beyond this was made by a broken clock, and would never grow old. */
const clockSkewMs = 24 * 60 * 60 * 1_000;

type ReadResult =
  | { readonly status: "value"; readonly bytes: Uint8Array }
  | { readonly status: "missing" | "failed" | "timeout" };

type ManifestResult =
  | { readonly status: "ok"; readonly manifest: Manifest }
  | { readonly status: DegradedReason };

/** Manifest per namespace, with the `now` of the request that read it. Data, never promises. */
const remembered = new WeakMap<NetworkStore, { manifest: Manifest; readAt: number }>();

/**
 * What is known of the network of an address. `now` is Unix ms. Never throws; takes at most a
 * second. Reserved addresses are in no data and are not looked up.
 */
export async function lookupNetwork(
  store: NetworkStore,
  address: Address,
  now: number,
): Promise<NetworkLookup> {
  if (isReserved(address)) return { facts: undefined, degraded: false };
  const shard = shardOf(address);
  const known = recall(store, now);
  if (known !== undefined) {
    const answer = answerWithoutShard(known, shard, now);
    if (answer !== undefined) return answer;
  }
  const [manifest, value] = await Promise.all([
    known === undefined ? readManifest(store, now) : { status: "ok" as const, manifest: known },
    read(store, shardKey(shard)),
  ]);
  if (manifest.status !== "ok") return degraded(manifest.status);
  const answer = answerWithoutShard(manifest.manifest, shard, now);
  if (answer !== undefined) return answer;
  if (value.status !== "value") {
    // Perhaps a newer import took the shard away: the next request asks what there is now.
    if (value.status === "missing") remembered.delete(store);
    return degraded(value.status);
  }
  const found = lookupShard(value.bytes, address);
  if (found.status === "corrupt") return degraded("corrupt");
  return { facts: found.status === "found" ? found.facts : undefined, degraded: false };
}

/** The manifest as it stands in KV, and kept for a minute. `now` is Unix ms. Never throws. */
async function readManifest(store: NetworkStore, now: number): Promise<ManifestResult> {
  const value = await read(store, manifestKey);
  if (value.status !== "value") return { status: value.status };
  const manifest = parseManifest(new TextDecoder().decode(value.bytes));
  if (manifest === undefined) return { status: "corrupt" };
  remembered.set(store, { manifest, readAt: now });
  return { status: "ok", manifest };
}

function recall(store: NetworkStore, now: number): Manifest | undefined {
  const entry = remembered.get(store);
  if (entry === undefined) return undefined;
  const age = now - entry.readAt;
  return age >= 0 && age < manifestMemoryMs ? entry.manifest : undefined;
}

/** The answer where the manifest alone decides, else undefined. */
function answerWithoutShard(
  manifest: Manifest,
  shard: ReturnType<typeof shardOf>,
  now: number,
): NetworkLookup | undefined {
  const age = now - manifest.builtAt;
  if (age > staleAfterMs || age < -clockSkewMs) return degraded("stale");
  if (!hasShard(manifest, shard)) return { facts: undefined, degraded: false };
  return undefined;
}

async function read(store: NetworkStore, key: string): Promise<ReadResult> {
  try {
    const options = { type: "arrayBuffer", cacheTtl: cacheTtlSeconds } as const;
    const value = await within(readTimeoutMs, store.get(key, options));
    return value === null
      ? { status: "missing" }
      : { status: "value", bytes: new Uint8Array(value) };
  } catch (error) {
    return { status: error instanceof DeadlineError ? "timeout" : "failed" };
  }
}

function degraded(reason: DegradedReason): NetworkLookup {
  return { facts: undefined, degraded: true, reason };
}
