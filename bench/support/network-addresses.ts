/** Draws the addresses to look up: half of them anywhere, half at the ends of ranges. */
import { formatAddress, isReserved, parseAddress } from "../../src/sentinel/network/address.ts";
import { type Columns, type Halves, halvesOf } from "./network-rows.ts";
import type { Source } from "./network-sources.ts";

/** Gives numbers from 0 to below 1, the same ones for the same seed. */
export type Random = () => number;

/** 2000::/3, which contains all IPv6 addresses in use. */
const unicastV6 = { first: 0x2000_0000, size: 0x2000_0000 };
const halfSize = 2 ** 32;

function drawHalf(random: Random, size = halfSize): number {
  return Math.floor(random() * size);
}

function drawAnywhere(family: 4 | 6, random: Random): Halves {
  if (family === 4) return [0, drawHalf(random)];
  return [unicastV6.first + drawHalf(random, unicastV6.size), drawHalf(random)];
}

/** The address `by` further. It carries between the halves, but not over the end of the space. */
function moveBy([high, low]: Halves, by: number): Halves {
  const sum = low + by;
  if (sum < 0) return [high - 1, halfSize - 1];
  return sum < halfSize ? [high, sum] : [high + 1, 0];
}

/** Rows that begin inside another row: where ranges overlap, it matters which one wins. */
function findOverlapping(columns: Columns): number[] {
  const start = (row: number) =>
    (columns.firstHigh[row] ?? 0) * halfSize + (columns.firstLow[row] ?? 0);
  const end = (row: number) =>
    (columns.lastHigh[row] ?? 0) * halfSize + (columns.lastLow[row] ?? 0);
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

/** For each source, all its rows and, with the same weight, those that overlap. */
function bordersOf(sources: readonly Columns[]): Borders[] {
  return sources.flatMap((columns) => {
    const all = Array.from({ length: columns.length }, (_, row) => row);
    return [
      { columns, rows: all },
      { columns, rows: findOverlapping(columns) },
    ];
  });
}

function drawAtBorder(borders: readonly Borders[], random: Random): Halves {
  const chosen = borders[drawHalf(random, borders.length)];
  if (chosen === undefined) throw new Error("no rows");
  const { columns, rows } = chosen;
  const row = rows[drawHalf(random, rows.length)] ?? 0;
  const first: Halves = [columns.firstHigh[row] ?? 0, columns.firstLow[row] ?? 0];
  const last: Halves = [columns.lastHigh[row] ?? 0, columns.lastLow[row] ?? 0];
  const around = [moveBy(first, -1), first, last, moveBy(last, 1)];
  return around[drawHalf(random, around.length)] ?? first;
}

/** The text of an address. The lower half of an IPv6 address is random. */
function textOf(family: 4 | 6, [high, low]: Halves, random: Random): string {
  if (family === 4) return formatAddress(4, BigInt(low));
  const lower = (BigInt(drawHalf(random)) << 32n) | BigInt(drawHalf(random));
  return formatAddress(6, (BigInt(high) << 96n) | (BigInt(low) << 64n) | lower);
}

/**
 * Draws different addresses of a family. Reserved ones are left out, because a lookup skips them. Every
 * source has the same share of the ends of ranges, whatever its length; sources that overlap themselves have
 * two.
 */
export function drawAddresses(
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

export function halvesOfAll(texts: readonly string[]): Halves[] {
  return texts.map(halvesOf);
}
