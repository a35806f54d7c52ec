/** Addresses to ask for: half of them anywhere, half where ranges begin and end. */
import { formatAddress, isReserved, parseAddress } from "../../src/sentinel/network/address.ts";
import { type Columns, type Words, wordsOf } from "./network-rows.ts";
import type { Source } from "./network-sources.ts";

/** Numbers from 0 to below 1, the same for the same seed. */
export type Random = () => number;

/** 2000::/3, of which all IPv6 in use is. */
const unicastV6 = { first: 0x2000_0000, size: 0x2000_0000 };
const wordSize = 2 ** 32;

function drawNumber(random: Random, size = wordSize): number {
  return Math.floor(random() * size);
}

function drawAnywhere(family: 4 | 6, random: Random): Words {
  if (family === 4) return [0, drawNumber(random)];
  return [unicastV6.first + drawNumber(random, unicastV6.size), drawNumber(random)];
}

/** One further or one back; across the end of a word, not of the space. */
function shift([high, low]: Words, by: number): Words {
  const sum = low + by;
  if (sum < 0) return [high - 1, wordSize - 1];
  return sum < wordSize ? [high, sum] : [high + 1, 0];
}

/** Rows that begin inside of another one: where ranges overlap, it matters which of them counts. */
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

/** Of each source all its rows, and as another choice of the same weight those that overlap. */
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

/** The text of an address; the lower half of one of IPv6 is any. */
function textOf(family: 4 | 6, [high, low]: Words, random: Random): string {
  if (family === 4) return formatAddress(4, BigInt(low));
  const lower = (BigInt(drawNumber(random)) << 32n) | BigInt(drawNumber(random));
  return formatAddress(6, (BigInt(high) << 96n) | (BigInt(low) << 64n) | lower);
}

/**
 * Different addresses of a family, none of them reserved, which nobody looks up. Each source has the
 * same share of the borders, however long it is, and those that overlap themselves a second one.
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
