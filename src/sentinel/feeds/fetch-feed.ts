/**
 * Fetches one feed and validates it. A list is accepted only if it also resembles the previous one: with half a
 * list in use, listed addresses would wrongly count as harmless.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { awaitWithin, DeadlineError } from "../../deadline.ts";
import { createFeedParser, type ParsedFeed } from "../network/feed.ts";
import { FeedRefusal, validateList } from "./validate-list.ts";

export type FeedFetcher = (address: string, init: RequestInit) => Promise<Response>;

export interface FetchLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** The largest feed has a few megabytes, and publishers answer within a second or two. */
export const fetchLimits: FetchLimits = { timeoutMs: 10_000, maxBytes: 32 * 1024 * 1024 };

/** A longer list does not fit into a Worker's memory beside the others. The longest now has 120,000. */
const maxRows = 300_000;
/** A new list must have this share of the rows of the previous one; a truncated file has fewer. */
const minShareOfRows = 0.5;
const maxRedirects = 5;
const redirects: readonly number[] = [301, 302, 303, 307, 308];

export interface FetchedFeed {
  readonly parsed: ParsedFeed;
  /** Digest of the text, hex. */
  readonly sha256: string;
  readonly etag: string | null;
}

interface KnownText {
  /** The ETag of the known text; null: fetch the whole list. */
  readonly etag: string | null;
  readonly rows: number;
}

/**
 * @returns undefined if the list is unchanged
 * @throws FeedRefusal if the list cannot be fetched or is not valid
 */
export async function fetchFeed(
  fetcher: FeedFetcher,
  address: string,
  known: KnownText,
  limits: FetchLimits = fetchLimits,
): Promise<FetchedFeed | undefined> {
  const abort = new AbortController();
  try {
    const work = download(fetcher, address, known.etag, abort.signal, limits.maxBytes);
    const fetched = await awaitWithin(limits.timeoutMs, work);
    if (fetched !== undefined) validateFeed(fetched.parsed, known.rows);
    return fetched;
  } catch (error) {
    if (error instanceof FeedRefusal) throw error;
    const reason =
      error instanceof DeadlineError
        ? `the answer was not complete within ${limits.timeoutMs} ms`
        : "the connection failed";
    throw new FeedRefusal(reason, { cause: error });
  } finally {
    abort.abort();
  }
}

async function download(
  fetcher: FeedFetcher,
  address: string,
  etag: string | null,
  signal: AbortSignal,
  maxBytes: number,
): Promise<FetchedFeed | undefined> {
  const response = await followRedirects(fetcher, address, etag, signal);
  if (response.status === 304 && etag !== null) return undefined;
  if (response.status !== 200) throw new FeedRefusal(`the answer was ${response.status}`);
  return { ...(await readBody(response, maxBytes)), etag: response.headers.get("ETag") };
}

/** Follows redirects one by one, so that none leads away from https. */
async function followRedirects(
  fetcher: FeedFetcher,
  address: string,
  etag: string | null,
  signal: AbortSignal,
): Promise<Response> {
  const headers = new Headers({ Accept: "text/plain, */*;q=0.1", "User-Agent": "edge-idp" });
  if (etag !== null) headers.set("If-None-Match", etag);
  let url = new URL(address);
  for (let redirected = 0; redirected <= maxRedirects; redirected += 1) {
    if (url.protocol !== "https:") throw new FeedRefusal("the address is not https");
    const response = await fetcher(url.href, { headers, redirect: "manual", signal });
    if (!redirects.includes(response.status)) return response;
    await response.body?.cancel();
    const location = response.headers.get("Location");
    if (location === null || !URL.canParse(location, url.href)) {
      throw new FeedRefusal("a redirect leads nowhere");
    }
    url = new URL(location, url.href);
  }
  throw new FeedRefusal("too many redirects");
}

/** Parses the body line by line as it arrives. The text itself is not kept. */
async function readBody(
  response: Response,
  maxBytes: number,
): Promise<Pick<FetchedFeed, "parsed" | "sha256">> {
  const parser = createFeedParser();
  const digest = sha256.create();
  const decoder = new TextDecoder();
  let size = 0;
  if (response.body !== null) {
    for await (const chunk of response.body) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new FeedRefusal(`longer than ${maxBytes} bytes`);
      digest.update(chunk);
      parser.push(decoder.decode(chunk, { stream: true }));
      if (parser.rows() > maxRows) throw new FeedRefusal(`more than ${maxRows} rows`);
    }
  }
  parser.push(decoder.decode());
  return { parsed: parser.finish(), sha256: bytesToHex(digest.digest()) };
}

function validateFeed(parsed: ParsedFeed, knownRows: number): void {
  validateList(parsed);
  if (parsed.rows < knownRows * minShareOfRows) {
    throw new FeedRefusal(`only ${parsed.rows} rows left of ${knownRows}`);
  }
}
