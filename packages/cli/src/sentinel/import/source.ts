/** Reads the text of a feed or table in chunks, from a file or a URL. */
import type { Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { FeedRefusal, validateList } from "../../../../../src/sentinel/feeds/validate-list.ts";
import type { LineCounts } from "../../../../../src/sentinel/network/lines.ts";
import { messageOf } from "../../describe-error.ts";
import { Failure } from "../../failure.ts";
import { printLine, showProgress } from "../../progress.ts";

const fetchTimeoutMs = 120_000;
/** Several times the largest known table. */
const maxBytes = 512 * 1024 * 1024;
const progressEveryBytes = 1_000_000;
/** Enough to reach past the comments at the start. */
const beginningCharacters = 16_384;

export interface Read<T> {
  readonly parsed: T;
  /** The server's ETag of this version; null for a file. */
  readonly etag: string | null;
}

/** Parses a text that is pushed in arbitrary pieces. */
interface Parser<T> {
  push(text: string): void;
  finish(): T;
}

function isUrl(source: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source);
}

/**
 * The public part of a source: a file without its folders, a URL without credentials and query, because
 * publishers put their customers' keys there.
 */
export function publicName(source: string): string {
  if (!isUrl(source)) return basename(source);
  const { origin, pathname } = new URL(source);
  return `${origin}${pathname}`;
}

async function openUrl(
  source: string,
): Promise<{ chunks: AsyncIterable<Uint8Array>; etag: string | null }> {
  if (!URL.canParse(source) || new URL(source).protocol !== "https:") {
    throw new Failure(`${publicName(source)}: only https URLs are fetched.`);
  }
  const response = await fetch(source, { signal: AbortSignal.timeout(fetchTimeoutMs) });
  if (!response.ok || response.body === null) {
    throw new FeedRefusal(`${publicName(source)}: the answer was ${response.status}`);
  }
  if (!response.url.startsWith("https:")) {
    throw new FeedRefusal(`${publicName(source)}: a redirect leads to a URL without https`);
  }
  return { chunks: response.body, etag: response.headers.get("etag") };
}

async function openSource(
  source: string,
): Promise<{ chunks: AsyncIterable<Uint8Array>; etag: string | null }> {
  if (isUrl(source)) return await openUrl(source);
  return { chunks: createReadStream(source), etag: null };
}

/**
 * Reads, parses and validates a text, adds it to the hash, and prints its counts.
 * @param parserFor chooses the parser by the start of the text
 * @throws FeedRefusal if the text is not a list, or a URL does not give it; Failure if a file cannot be read
 */
export async function readText<T extends LineCounts>(
  name: string,
  source: string,
  hash: Hash,
  parserFor: (beginning: string) => Parser<T>,
): Promise<Read<T>> {
  const decoder = new TextDecoder();
  let parser: Parser<T> | undefined;
  let beginning = "";
  let bytes = 0;
  let shown = 0;

  function push(text: string, isLast: boolean): Parser<T> | undefined {
    if (parser !== undefined) parser.push(text);
    else beginning += text;
    if (parser === undefined && (isLast || beginning.length >= beginningCharacters)) {
      parser = parserFor(beginning);
      parser.push(beginning);
    }
    return parser;
  }

  try {
    const { chunks, etag } = await openSource(source);
    for await (const chunk of chunks) {
      hash.update(chunk);
      push(decoder.decode(chunk, { stream: true }), false);
      bytes += chunk.length;
      if (bytes > maxBytes) throw new FeedRefusal(`${publicName(source)}: larger than 512 MiB`);
      if (bytes - shown < progressEveryBytes) continue;
      showProgress(`${name}: ${(bytes / 1e6).toFixed(0)} MB read`);
      shown = bytes;
    }
    const last = push(decoder.decode(), true) ?? parserFor("");
    const parsed = last.finish();
    printCounts(name, source, parsed);
    requireList(source, parsed);
    return { parsed, etag };
  } catch (error) {
    if (error instanceof Failure || error instanceof FeedRefusal) throw error;
    if (!isUrl(source)) throw new Failure(`${publicName(source)}: ${messageOf(error)}`);
    throw new FeedRefusal(`${publicName(source)}: the connection failed`, { cause: error });
  } finally {
    showProgress("");
  }
}

/** @throws FeedRefusal that names the source */
function requireList(source: string, counts: LineCounts): void {
  try {
    validateList(counts);
  } catch (error) {
    if (!(error instanceof FeedRefusal)) throw error;
    throw new FeedRefusal(`${publicName(source)}: ${error.message}`);
  }
}

/** Prints the numbers of entries and skipped lines, and the first skipped lines with their reasons. */
function printCounts(name: string, source: string, { rows, skipped, badLines }: LineCounts): void {
  printLine(`${name}: ${rows} entries, ${skipped} lines skipped`);
  for (const { line, reason } of badLines) printLine(`  ${publicName(source)}:${line}: ${reason}`);
  const more = skipped - badLines.length;
  if (more > 0) printLine(`  … and ${more} more`);
}
