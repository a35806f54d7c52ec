/** Reads the list of feeds for the API. */
import { awaitWithin } from "../../deadline.ts";
import { AppError } from "../../errors.ts";
import { causeOf, log } from "../../log.ts";
import { type FeedList, feedListKey, parseFeedList } from "./feed-record.ts";

const readTimeoutMs = 2_000;

/**
 * @returns undefined if nothing was imported yet
 * @throws AppError `unavailable` if the list cannot be read or is damaged
 */
export async function listFeeds(store: KVNamespace): Promise<FeedList | undefined> {
  const text = await readText(store);
  if (text === null) return undefined;
  const list = parseFeedList(text);
  if (list === undefined) {
    log("error", "feed_list_damaged");
    throw new AppError("unavailable", { causeName: "feed_list_damaged" });
  }
  return list;
}

async function readText(store: KVNamespace): Promise<string | null> {
  try {
    return await awaitWithin(readTimeoutMs, store.get(feedListKey, "text"));
  } catch (error) {
    log("error", "feed_list_unavailable", { cause: causeOf(error) });
    throw new AppError("unavailable", { causeName: "feed_list_unavailable" });
  }
}
