/** Fetches the configured feeds that are due, one at a time, because they share the memory of one Worker. */
import { measureCoverage } from "../network/coverage.ts";
import type { CatalogueFeed } from "./catalogue.ts";
import type { KeyValue } from "./data-set.ts";
import { addError, emptyRecordOf, type FeedRecord } from "./feed-record.ts";
import { encodeFeedValue, feedValueKeyOf } from "./feed-value.ts";
import { type FeedFetcher, type FetchedFeed, type FetchLimits, fetchFeed } from "./fetch-feed.ts";
import { destinationOf } from "./refresh-progress.ts";
import type { StoredDataSet } from "./stored-data-set.ts";
import { FeedRefusal } from "./validate-list.ts";

const hourMs = 60 * 60 * 1000;
/** The schedule runs every hour, but not to the second. */
const slackMs = hourMs / 2;

/** The results for the feeds that were due. */
export interface Fetches {
  /** The list is unchanged: it is the one in force. */
  readonly confirmed: readonly FeedRecord[];
  /** The list is new and is to be put in force. */
  readonly accepted: readonly FeedRecord[];
  /** The fetch failed: the record is as before, with the error. */
  readonly refused: readonly FeedRecord[];
  /** The ranges of the accepted lists. */
  readonly values: readonly KeyValue[];
}

/** @param now real time, Unix ms */
export async function fetchDue(
  configured: readonly CatalogueFeed[],
  { list, keys, pending }: StoredDataSet,
  now: number,
  fetcher: FeedFetcher,
  limits: FetchLimits,
): Promise<Fetches> {
  const confirmed: FeedRecord[] = [];
  const accepted: FeedRecord[] = [];
  const refused: FeedRecord[] = [];
  const values: KeyValue[] = [];
  for (const feed of configured) {
    const known = list.feeds.find(({ name }) => name === feed.name);
    if (known !== undefined && now - known.fetchedAt < feed.refreshHours * hourMs - slackMs)
      continue;
    // An earlier run is still rebuilding shards from its own lists; these wait until it is finished.
    if (pending !== undefined && pending.feeds.length > 0 && destinationOf(feed) === "shards")
      continue;
    try {
      const etag = known === undefined ? null : etagOf(feed, known, keys);
      const rows = known?.rows ?? 0;
      if (
        known !== undefined &&
        known.value !== null &&
        destinationOf(known) !== destinationOf(feed)
      ) {
        throw new FeedRefusal(`a feed of that name and kind ${known.kind} was imported`);
      }
      const fetched = await fetchFeed(fetcher, feed.address, { etag, rows }, limits);
      if (fetched === undefined && known !== undefined) {
        confirmed.push({ ...known, fetchedAt: now, lastError: null });
      } else if (fetched !== undefined) {
        const { digest, bytes } = encodeFeedValue(fetched.parsed.ranges);
        const key = feedValueKeyOf(feed.name, digest);
        const isKnown = known?.value === digest && known.kind === feed.kind && keys.has(key);
        const record = recordOf(feed, fetched, digest, now);
        if (isKnown) {
          confirmed.push({ ...record, changedAt: known.changedAt });
        } else {
          accepted.push(record);
          values.push({ key, bytes });
        }
      }
    } catch (error) {
      if (!(error instanceof FeedRefusal)) throw error;
      refused.push(addError(known ?? emptyRecordOf(sourceOf(feed)), error.message, now));
    }
  }
  return { confirmed, accepted, refused, values };
}

/** Null if the list in force has another source or kind, or its value is gone: the list must be fetched then. */
function etagOf(feed: CatalogueFeed, known: FeedRecord, keys: ReadonlySet<string>): string | null {
  const isSame = known.source === feed.address && known.kind === feed.kind;
  const isStored = known.value !== null && keys.has(feedValueKeyOf(known.name, known.value));
  return isSame && isStored ? known.etag : null;
}

function sourceOf({ name, kind, address, licence, format }: CatalogueFeed) {
  return { name, kind, source: address, licence, format };
}

function recordOf(
  feed: CatalogueFeed,
  { parsed, sha256, etag }: FetchedFeed,
  value: string,
  now: number,
): FeedRecord {
  return {
    ...sourceOf(feed),
    rows: parsed.rows,
    skippedLines: parsed.skipped,
    coverage: measureCoverage(parsed.ranges),
    sha256,
    value,
    etag,
    fetchedAt: now,
    changedAt: now,
    lastError: null,
  };
}
