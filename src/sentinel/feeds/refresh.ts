/**
 * The scheduled refresh of the configured feeds. Start here to see how lists become network data:
 *
 * 1. Read the data set in force (stored-data-set.ts) and fetch the feeds that are due (fetch-due.ts).
 * 2. Apply the accepted lists (apply-lists.ts): lists that change within hours go into a new table of
 *    threats, the others into the shards that they affect.
 * 3. Write the progress (refresh-progress.ts), then put the new data set in force in one write (data-set.ts).
 *
 * A list that fails keeps its old content and stops no other list. If stored data is lost, nothing is built
 * that needs it, and the error asks for an import. With the written progress, the next run continues a run that
 * was interrupted, and distinguishes it from an interrupted import.
 */
import { runJob } from "../../job.ts";
import { log } from "../../log.ts";
import { encodeCurrent } from "../network/current-data-set.ts";
import {
  type AppliedShards,
  type AppliedThreats,
  applyToShards,
  applyToThreats,
  type RefreshRun,
} from "./apply-lists.ts";
import { parseConfiguredFeeds } from "./catalogue.ts";
import { type DataStore, putInForce } from "./data-set.ts";
import {
  type FeedList,
  type FeedRecord,
  feedListKey,
  listTimesOf,
  mergeRecords,
  parseFeedList,
  serializeFeedList,
} from "./feed-record.ts";
import { type Fetches, fetchDue } from "./fetch-due.ts";
import { type FeedFetcher, type FetchLimits, fetchLimits } from "./fetch-feed.ts";
import { dataStoreOf } from "./kv-store.ts";
import {
  type Destination,
  destinationOf,
  pendingKey,
  serializeProgress,
} from "./refresh-progress.ts";
import { LostDataError, readDataSet, type StoredDataSet } from "./stored-data-set.ts";

export interface RefreshEnv {
  readonly IP_REPUTATION: KVNamespace;
  /** Names of the catalogue, separated by commas; older configurations do not have it. */
  readonly SENTINEL_FEEDS?: string | undefined;
}

export interface RefreshLimits extends FetchLimits {
  /** Reads and writes of shards in one run; KV allows a Worker 1,000 operations of all kinds. */
  readonly maxOperations: number;
}

export const refreshLimits: RefreshLimits = { ...fetchLimits, maxOperations: 800 };

/** @param now real time, Unix ms. Never throws: a failure is logged, and the next run tries again. */
export async function refreshFeeds(
  env: RefreshEnv,
  now: number,
  fetcher: FeedFetcher = globalThis.fetch,
  limits: RefreshLimits = refreshLimits,
): Promise<void> {
  const { feeds, unknown } = parseConfiguredFeeds(env.SENTINEL_FEEDS ?? "");
  if (unknown.length > 0) log("error", "feeds_unknown", { problems: unknown });
  if (feeds.length === 0) return;
  const refresh = async () => {
    const store = dataStoreOf(env.IP_REPUTATION);
    const stored = await readDataSet(store);
    const fetches = await fetchDue(feeds, stored, now, fetcher, limits);
    const { maxOperations } = limits;
    await applyFetches({ store, stored, values: fetches.values, now, maxOperations }, fetches);
  };
  await runJob("feeds_refresh_failed", refresh, (error) =>
    error instanceof LostDataError ? { problems: [error.message] } : {},
  );
}

/** Applies the fetched lists and puts the new data set in force. */
async function applyFetches(run: RefreshRun, fetches: Fetches): Promise<void> {
  const { store, stored, now } = run;
  const acceptedFor = (destination: Destination) =>
    fetches.accepted.filter((record) => destinationOf(record) === destination);
  const shards = await applyToShards(run, acceptedFor("shards"));
  const threats = await applyToThreats(run, acceptedFor("threats"));
  const failed = [...fetches.refused, ...shards.failed, ...threats.failed];
  const good = [...fetches.confirmed, ...shards.inForce, ...threats.inForce];
  const feeds = mergeRecords(stored.list.feeds, [...failed, ...good]);
  logOutcome(failed, shards.inForce.length + threats.inForce.length);
  if (good.length > 0) {
    await replaceDataSet(run, { builtAt: now, feeds }, good, shards, threats);
    return;
  }
  if (failed.length > 0) await saveList(store, { ...stored.list, feeds });
  const pendingBefore = stored.pending?.feeds.length ?? 0;
  if (pendingBefore + shards.pending.feeds.length > 0) await savePending(store, shards);
}

/** Puts the new data set in force. */
async function replaceDataSet(
  run: RefreshRun,
  list: FeedList,
  good: readonly FeedRecord[],
  appliedShards: AppliedShards,
  { table }: AppliedThreats,
): Promise<void> {
  const { store, stored, now, maxOperations } = run;
  const { shards, operations } = appliedShards;
  await savePending(store, appliedShards);
  await requireUnchanged(store, stored);
  const current = encodeCurrent(computeTimes(stored, list, good, now), shards, table);
  const dataSet = { shards, current, feedValues: [], list };
  await putInForce(store, dataSet, now, maxOperations - operations, () => {});
}

/** Called once in a run: KV allows one write per second to a key. */
async function savePending(store: DataStore, { pending }: AppliedShards): Promise<void> {
  await store.write([{ key: pendingKey, bytes: serializeProgress(pending) }], () => {});
}

/** Requires that no import came into force meanwhile: a run takes minutes. KV may show an import late. */
async function requireUnchanged(store: DataStore, stored: StoredDataSet): Promise<void> {
  const bytes = await store.read(feedListKey);
  const list = bytes === undefined ? undefined : parseFeedList(new TextDecoder().decode(bytes));
  if ((list?.builtAt ?? 0) !== stored.list.builtAt) {
    throw new LostDataError("another data set came into force meanwhile");
  }
}

async function saveList(store: DataStore, list: FeedList): Promise<void> {
  const bytes = new TextEncoder().encode(serializeFeedList(list));
  await store.write([{ key: feedListKey, bytes }], () => {});
}

/**
 * The ages of the shards and of the threats. A list that was confirmed or replaced makes them new. The
 * refresh does not fetch geography, so the shards are never newer than their geography.
 */
function computeTimes(
  { current }: StoredDataSet,
  { feeds }: FeedList,
  good: readonly FeedRecord[],
  now: number,
) {
  const inForce = feeds.filter(({ fetchedAt }) => fetchedAt > 0);
  const inForceFor = (destination: Destination) =>
    inForce.filter((record) => destinationOf(record) === destination);
  const isNew = (destination: Destination) =>
    good.some((record) => destinationOf(record) === destination);
  const oldest = Math.min(now, ...inForceFor("geography").map(({ fetchedAt }) => fetchedAt));
  const hasShards = inForceFor("shards").length + inForceFor("geography").length > 0;
  const builtAt = isNew("shards") || !hasShards ? oldest : 0;
  const threatsAt = isNew("threats") ? now : (current?.threatsAt ?? 0);
  return {
    builtAt: Math.max(builtAt, current?.builtAt ?? 0),
    threatsAt: inForceFor("threats").length === 0 ? 0 : threatsAt,
    lists: listTimesOf(feeds),
  };
}

function logOutcome(failed: readonly FeedRecord[], changed: number): void {
  const problems = failed.map(({ name, lastError }) => `${name}: ${lastError?.reason}`);
  if (problems.length > 0) log("error", "feeds_refused", { problems });
  if (changed > 0) log("info", "feeds_refreshed", { count: changed });
}
