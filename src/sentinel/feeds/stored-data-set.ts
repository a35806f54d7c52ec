/** Reads the data set in force for a refresh, and checks that it is complete. */

import type { Feed } from "../network/combine-feeds.ts";
import { type CurrentDataSet, currentKey, openCurrent } from "../network/current-data-set.ts";
import type { NetworkKind } from "../network/network-facts.ts";
import { networkKeyPrefix } from "../network/shard.ts";
import type { DataStore, KeyValue } from "./data-set.ts";
import { type FeedList, type FeedRecord, feedListKey, parseFeedList } from "./feed-record.ts";
import { decodeFeedValue, feedValueKeyOf } from "./feed-value.ts";
import {
  baseDigestOf,
  parseProgress,
  pendingKey,
  type RefreshProgress,
} from "./refresh-progress.ts";

/**
 * A part of the data set is gone or damaged, and anything built without it would be wrong. Only an import
 * restores it. Operators see the message.
 */
export class LostDataError extends Error {
  /** The feed whose ranges are lost; undefined if another part is. */
  readonly feed: string | undefined;

  constructor(message: string, feed?: string) {
    super(message);
    this.name = "LostDataError";
    this.feed = feed;
  }
}

export interface StoredDataSet {
  readonly list: FeedList;
  /** Undefined: nothing is in force yet. */
  readonly current: CurrentDataSet | undefined;
  /** The progress of an unfinished run; undefined if there is none, or it is obsolete. */
  readonly pending: RefreshProgress | undefined;
  readonly keys: ReadonlySet<string>;
}

/** @throws LostDataError, or what the store throws */
export async function readDataSet(store: DataStore): Promise<StoredDataSet> {
  const keys = await store.list(networkKeyPrefix);
  const pendingBytes = await store.read(pendingKey);
  const listBytes = await store.read(feedListKey);
  const currentBytes = await store.read(currentKey);
  const begun = pendingBytes === undefined ? undefined : parseProgress(pendingBytes);
  // A run that was interrupted while it put the very first data set in force leaves no list.
  if (listBytes === undefined && currentBytes !== undefined && begun === undefined) {
    throw new LostDataError("the list of feeds is gone: run the import again");
  }
  const list =
    listBytes === undefined
      ? { builtAt: 0, feeds: [] }
      : parseFeedList(new TextDecoder().decode(listBytes));
  if (list === undefined)
    throw new LostDataError("the list of feeds is damaged: run the import again");
  const current = currentBytes === undefined ? undefined : openCurrent(currentBytes);
  if (current === undefined && (currentBytes !== undefined || list.feeds.some(isInForce))) {
    throw new LostDataError("the data set is damaged: run the import again");
  }
  if (current !== undefined && newestOf(current) > list.builtAt && !isWrittenBy(begun, current)) {
    throw new LostDataError("an import did not finish: run it again");
  }
  const fits =
    begun !== undefined &&
    begun.at >= list.builtAt &&
    begun.base === baseDigestOf(list) &&
    !isFinished(begun, list) &&
    begun.feeds.every(({ name, value }) => value !== null && keys.has(feedValueKeyOf(name, value)));
  return { list, current, pending: fits ? begun : undefined, keys };
}

/** Whether its feeds came into force, so that it is finished. */
function isFinished(begun: RefreshProgress, list: FeedList): boolean {
  return begun.feeds.every(({ name, fetchedAt }) =>
    list.feeds.some((feed) => feed.name === name && feed.fetchedAt >= fetchedAt),
  );
}

function isInForce({ fetchedAt }: FeedRecord): boolean {
  return fetchedAt > 0;
}

function newestOf({ builtAt, threatsAt }: CurrentDataSet): number {
  return Math.max(builtAt, threatsAt);
}

/** Whether a refresh put the data set in force, and was interrupted before it wrote the list. */
function isWrittenBy(begun: RefreshProgress | undefined, current: CurrentDataSet): boolean {
  return begun?.at === newestOf(current);
}

/**
 * The ranges of the feeds: those just fetched, or those of the store.
 * @throws LostDataError, or what the store throws
 */
export async function readRanges(
  store: Pick<DataStore, "read">,
  records: readonly FeedRecord[],
  fetched: readonly KeyValue[],
): Promise<Feed[]> {
  const feeds: Feed[] = [];
  for (const { name, kind, value } of records) {
    if (value === null || !isNetwork(kind)) continue;
    const key = feedValueKeyOf(name, value);
    const bytes = fetched.find((value) => value.key === key)?.bytes ?? (await store.read(key));
    const ranges = bytes === undefined ? undefined : decodeFeedValue(bytes);
    if (ranges === undefined) {
      throw new LostDataError(`the ranges of ${name} are gone or damaged: import it again`, name);
    }
    feeds.push({ kind, ranges });
  }
  return feeds;
}

function isNetwork(kind: FeedRecord["kind"]): kind is NetworkKind {
  return kind !== "asn" && kind !== "country";
}
