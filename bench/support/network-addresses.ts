/** Samples addresses to look up: half of them anywhere, half at the borders of ranges. */
import { formatAddress, isReserved, parseAddress } from "../../src/sentinel/network/address.ts";
import { type Columns, type Words, wordsOf } from "./network-rows.ts";
import type { Source } from "./network-sources.ts";

/** Numbers from 0 to below 1, the same for the same seed. */
export type Random = () => number;

/** 2000::/3 holds all IPv6 addresses in use. */
const unicastV6 = { first: 0x2000_0000, size: 0x2000_0000 };
const wordSize = 2 ** 32;

function drawNumber(random: Random, size = wordSize): number {
  return Math.floor(random() * size);
}

function drawAnywhere(family: 4 | 6, random: Random): Words {
  if (family === 4) return [0, drawNumber(random)];
  return [unicastV6.first + drawNumber(random, unicastV6.size), drawNumber(random)];
}

/** Moves by one, across the end of a word but not of the address space. */
function shift([high, low]: Words, by: number): Words {
  const sum = low + by;
  if (sum < 0) return [high - 1, wordSize - 1];
  return sum < wordSize ? [high, sum] : [high + 1, 0];
}

/** Finds rows that start within another one, because there it matters which row counts. */
function findOverlapping(columns: Columns): number[] {
  const start = (row: number) =>
    (columns.firstHigh[row] ?? 0) * wordSize + (columns.firstLow[row] ?? 0);
  const end = (row: number) =>
    (columns.lastHigh[row] ?? 0) * wordSize + (columns.lastLow[row] ?? 0);
  const found: number[] = [];
  let furthest = -1;
  const rows = Array.from({ length: columns.length }, (_, row) => row);
  for (const row of rows.toSorted((a, b) => start(a) - start(b))) {
    if (start(row) <= furthest) found.push(row);
    furthest = Math.max(furthest, end(row));
  }
  return found;
}

interface Borders {
  readonly columns: Columns;
  readonly rows: readonly number[];
}

/** Returns two equally likely choices for each source: all its rows, and its overlapping rows. */
function bordersOf(sources: readonly Columns[]): Borders[] {
  return sources.flatMap((columns) => {
    const all = Array.from({ length: columns.length }, (_, row) => row);
    return [
      { columns, rows: all },
      { columns, rows: findOverlapping(columns) },
    ];
  });
}

function drawAtBorder(borders: readonly Borders[], random: Random): Words {
  const chosen = borders[drawNumber(random, borders.length)];
  if (chosen === undefined) throw new Error("no rows");
  const { columns, rows } = chosen;
  const row = rows[drawNumber(random, rows.length)] ?? 0;
  const first: Words = [columns.firstHigh[row] ?? 0, columns.firstLow[row] ?? 0];
  const last: Words = [columns.lastHigh[row] ?? 0, columns.lastLow[row] ?? 0];
  const around = [shift(first, -1), first, last, shift(last, 1)];
  return around[drawNumber(random, around.length)] ?? first;
}

/** Formats an address; the lower half of an IPv6 address is random. */
function textOf(family: 4 | 6, [high, low]: Words, random: Random): string {
  if (family === 4) return formatAddress(4, BigInt(low));
  const lower = (BigInt(drawNumber(random)) << 32n) | BigInt(drawNumber(random));
  return formatAddress(6, (BigInt(high) << 96n) | (BigInt(low) << 64n) | lower);
}

/**
 * Samples different addresses of a family. Reserved ones are left out, because the service never looks them up.
 * Each source has the same share of the borders, whatever its length, and its overlapping rows have another.
 */
export function sampleAddresses(
  family: 4 | 6,
  sources: readonly Source[],
  count: number,
  random: Random,
): string[] {
  const columns = sources.map(({ rows }) => (family === 4 ? rows.v4 : rows.v6));
  const borders = bordersOf(columns).filter(({ rows }) => rows.length > 0);
  const texts = new Set<string>();
  while (texts.size < count) {
    const words =
      texts.size < count / 2 ? drawAnywhere(family, random) : drawAtBorder(borders, random);
    const text = textOf(family, words, random);
    const address = parseAddress(text);
    if (address !== undefined && !isReserved(address)) texts.add(text);
  }
  return [...texts];
}

export function wordsOfAll(texts: readonly string[]): Words[] {
  return texts.map(wordsOf);
}
