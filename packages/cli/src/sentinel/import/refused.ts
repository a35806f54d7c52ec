/**
 * Reads all lists of an import. As in the scheduled refresh, a refused list stops no other one: the version in
 * the store stays in use, and its record shows the error.
 */

import type { DataStore } from "../../../../../src/sentinel/feeds/data-set.ts";
import {
  addError,
  emptyRecordOf,
  type FeedRecord,
  feedListKey,
  parseFeedList,
} from "../../../../../src/sentinel/feeds/feed-record.ts";
import { encodeFeedValue } from "../../../../../src/sentinel/feeds/feed-value.ts";
import { LostDataError, readRanges } from "../../../../../src/sentinel/feeds/stored-data-set.ts";
import { FeedRefusal } from "../../../../../src/sentinel/feeds/validate-list.ts";
import type { Geography } from "../../../../../src/sentinel/network/build.ts";
import { messageOf } from "../../describe-error.ts";
import { printLine } from "../../progress.ts";
import { describeFeed, type FeedPlan, type ReadFeed, readFeed } from "./feeds.ts";

export interface ReadFeeds {
  /** The feeds to build from: the accepted ones, and the stored versions of refused ones. */
  readonly inUse: readonly ReadFeed[];
  /** One record for each feed of the import. */
  readonly records: readonly FeedRecord[];
  /** The names of the refused feeds. */
  readonly refused: readonly string[];
}

/**
 * @param store the data set that the import replaces; undefined: no stored version is available
 * @throws Failure if the command is at fault
 */
export async function readFeeds(
  plans: readonly FeedPlan[],
  geography: Geography,
  store: Pick<DataStore, "read"> | undefined,
  now: number,
): Promise<ReadFeeds> {
  const inUse: ReadFeed[] = [];
  const records: FeedRecord[] = [];
  const refused: string[] = [];
  for (const plan of plans) {
    try {
      inUse.push(await readFeed(plan, geography, now));
    } catch (error) {
      if (!(error instanceof FeedRefusal)) throw error;
      refused.push(plan.name);
      const stored = store === undefined ? undefined : await readStoredFeed(store, plan.name);
      if (stored === undefined) {
        records.push(addError(emptyRecordOf(describeFeed(plan)), error.message, now));
      } else {
        inUse.push({ ...stored, record: addError(stored.record, error.message, now) });
      }
      const isKept = stored !== undefined;
      printLine(`${plan.name}: REFUSED: ${messageOf(error)}; ${describeOutcome(isKept, store)}`);
    }
  }
  return { inUse, records: [...inUse.map(({ record }) => record), ...records], refused };
}

function describeOutcome(isKept: boolean, store: unknown): string {
  if (store === undefined) return "a dry run reads no stored version";
  return isKept ? "its stored version stays in use" : "no version of it is stored";
}

/** Undefined if the store has no such feed, or its ranges are lost. */
async function readStoredFeed(
  { read }: Pick<DataStore, "read">,
  name: string,
): Promise<ReadFeed | undefined> {
  const bytes = await read(feedListKey);
  const list = bytes === undefined ? undefined : parseFeedList(new TextDecoder().decode(bytes));
  const record = list?.feeds.find((feed) => feed.name === name);
  if (record === undefined) return undefined;
  try {
    const [feed] = await readRanges({ read }, [record], []);
    return feed === undefined ? undefined : { feed, record, value: encodeFeedValue(feed.ranges) };
  } catch (error) {
    if (error instanceof LostDataError) return undefined;
    throw error;
  }
}
