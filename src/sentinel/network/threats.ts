/**
 * The table of threats (pure): the lists that change within hours (threats, Tor exits, scanners) in one
 * compact form that is searched as it is stored. Big-endian columns; the ranges ascend and are disjoint:
 *
 *   IPv4: first address u32 × n, addresses after it u16 × n, flags u16 × n
 *   IPv6: first u64 × n (top half of the address), last u64 × n, flags u16 × n
 */
import type { Address } from "./address.ts";
import { combineFeeds, type Feed } from "./combine-feeds.ts";
import { isFast } from "./network-facts.ts";
import { findLastUpTo } from "./search.ts";
import { positionBits } from "./shard.ts";

const v4Bytes = 4 + 2 + 2;
const v6Bytes = 8 + 8 + 2;
/** A longer range is split into several entries. */
const maxSpan = 0xffffn;

interface Entry {
  readonly first: bigint;
  readonly last: bigint;
  readonly flags: number;
}

/** The position of the table in a value, and the number of its entries. */
export interface ThreatTable {
  readonly view: DataView;
  readonly offset: number;
  readonly v4: number;
  readonly v6: number;
}

export function threatTableBytesOf(v4: number, v6: number): number {
  return v4 * v4Bytes + v6 * v6Bytes;
}

function entriesOf(family: 4 | 6, feeds: readonly Feed[]): Entry[] {
  const segments = combineFeeds(family, feeds);
  const end = 1n << BigInt(positionBits[family]);
  return segments.flatMap(({ start, flags }, index): Entry[] => {
    if (flags === 0) return [];
    const last = (segments[index + 1]?.start ?? end) - 1n;
    if (family === 6) return [{ first: start, last, flags }];
    const pieces: Entry[] = [];
    for (let first = start; first <= last; first += maxSpan + 1n) {
      const furthest = first + maxSpan;
      pieces.push({ first, last: furthest < last ? furthest : last, flags });
    }
    return pieces;
  });
}

/** Builds the table from the feeds of those kinds; other feeds are ignored. */
export function buildThreatTable(feeds: readonly Feed[]) {
  const fast = feeds.filter(({ kind }) => isFast(kind));
  const v4 = entriesOf(4, fast);
  const v6 = entriesOf(6, fast);
  const bytes = new Uint8Array(threatTableBytesOf(v4.length, v6.length));
  const view = new DataView(bytes.buffer);
  for (const [index, { first, last, flags }] of v4.entries()) {
    view.setUint32(index * 4, Number(first));
    view.setUint16(v4.length * 4 + index * 2, Number(last - first));
    view.setUint16(v4.length * 6 + index * 2, flags);
  }
  const base = v4.length * v4Bytes;
  for (const [index, { first, last, flags }] of v6.entries()) {
    view.setBigUint64(base + index * 8, first);
    view.setBigUint64(base + (v6.length + index) * 8, last);
    view.setUint16(base + v6.length * 16 + index * 2, flags);
  }
  return { bytes, v4: v4.length, v6: v6.length };
}

/** The flags of an address; 0: no list names it. */
export function findThreatFlags({ view, offset, v4, v6 }: ThreatTable, address: Address): number {
  if (address.family === 4) {
    const position = Number(address.value);
    const index = findLastUpTo(v4, (at) => view.getUint32(offset + at * 4) > position);
    if (index < 0) return 0;
    const span = view.getUint16(offset + v4 * 4 + index * 2);
    const isIn = position <= view.getUint32(offset + index * 4) + span;
    return isIn ? view.getUint16(offset + v4 * 6 + index * 2) : 0;
  }
  const base = offset + v4 * v4Bytes;
  const position = address.value >> 64n;
  const index = findLastUpTo(v6, (at) => view.getBigUint64(base + at * 8) > position);
  if (index < 0) return 0;
  const isIn = position <= view.getBigUint64(base + (v6 + index) * 8);
  return isIn ? view.getUint16(base + v6 * 16 + index * 2) : 0;
}
