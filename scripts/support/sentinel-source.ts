/** The text of a feed or table, from a file or an address, in pieces. */
import type { Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import type { LineCounts } from "../../src/sentinel/network/lines.ts";
import { Failure } from "./failure.ts";
import { showProgress, printLine } from "./sentinel-terminal.ts";

/** A list that takes longer than this to arrive is not coming. */
const fetchTimeoutMs = 120_000;
/** Several times the largest table there is. */
const maxBytes = 512 * 1024 * 1024;
const progressEveryBytes = 1_000_000;
/** Enough to see past comments what a text lists. */
const beginningCharacters = 16_384;

export interface Read<T> {
  readonly parsed: T;
  /** As the server named this version of it; null for a file. */
  readonly etag: string | null;
}

/** Of a failed fetch only the cause says what failed. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${messageOf(error.cause)})`;
}

/** What reads the text: `push` takes it cut anywhere. */
interface Parser<T> {
  push(text: string): void;
  finish(): T;
}

function isAddress(place: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place);
}

/**
 * What may be told of a place: a file without its folders, an address without credentials and query,
 * in which publishers put the keys of their customers.
 */
export function publicName(place: string): string {
  if (!isAddress(place)) return basename(place);
  const { origin, pathname } = new URL(place);
  return `${origin}${pathname}`;
}

async function openAddress(
  place: string,
): Promise<{ chunks: AsyncIterable<Uint8Array>; etag: string | null }> {
  if (!URL.canParse(place) || new URL(place).protocol !== "https:") {
    throw new Failure(`${publicName(place)}: only addresses with https are fetched.`);
  }
  const response = await fetch(place, { signal: AbortSignal.timeout(fetchTimeoutMs) });
  if (!response.ok || response.body === null) {
    throw new Failure(`${publicName(place)}: the server answered ${response.status}.`);
  }
  if (!response.url.startsWith("https:")) {
    throw new Failure(`${publicName(place)}: led to an address without https.`);
  }
  return { chunks: response.body, etag: response.headers.get("etag") };
}

async function open(
  place: string,
): Promise<{ chunks: AsyncIterable<Uint8Array>; etag: string | null }> {
  if (isAddress(place)) return await openAddress(place);
  return { chunks: createReadStream(place), etag: null };
}

/**
 * Reads a text, and adds it to the hash. The parser is chosen by how it begins.
 * @throws Failure where it cannot be had
 */
export async function readText<T>(
  name: string,
  place: string,
  hash: Hash,
  parserFor: (beginning: string) => Parser<T>,
): Promise<Read<T>> {
  const decoder = new TextDecoder();
  let parser: Parser<T> | undefined;
  let beginning = "";
  let bytes = 0;
  let shown = 0;

  function take(text: string, isLast: boolean): Parser<T> | undefined {
    if (parser !== undefined) parser.push(text);
    else beginning += text;
    if (parser === undefined && (isLast || beginning.length >= beginningCharacters)) {
      parser = parserFor(beginning);
      parser.push(beginning);
    }
    return parser;
  }

  try {
    const { chunks, etag } = await open(place);
    for await (const chunk of chunks) {
      hash.update(chunk);
      take(decoder.decode(chunk, { stream: true }), false);
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Failure(`${publicName(place)}: larger than 512 MiB.`);
      if (bytes - shown < progressEveryBytes) continue;
      showProgress(`${name}: ${(bytes / 1e6).toFixed(0)} MB read`);
      shown = bytes;
    }
    const filled = take(decoder.decode(), true) ?? parserFor("");
    return { parsed: filled.finish(), etag };
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${publicName(place)}: ${messageOf(error)}`);
  } finally {
    showProgress("");
  }
}

/** Tells what was in a text, with the lines that could not be read by their numbers. */
export function printCounts(
  name: string,
  place: string,
  { rows, skipped, badLines }: LineCounts,
): void {
  printLine(`${name}: ${rows} entries, ${skipped} lines skipped`);
  for (const { line, reason } of badLines) printLine(`  ${publicName(place)}:${line}: ${reason}`);
  const more = skipped - badLines.length;
  if (more > 0) printLine(`  … and ${more} more`);
}
