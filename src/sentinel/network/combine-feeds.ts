/**
 * Combines feeds into flags (pure). The ranges of feeds overlap each other and themselves. A sweep over the
 * ends of all ranges gives disjoint segments, each with the kinds of all feeds that cover it and a threat
 * grade.
 *
 * The grade: each "threat" feed that covers an address adds the number of blacklists that it reports (1 if it
 * reports none), and the sum is at most 15. Within one feed the largest number counts, because a repeated
 * entry is not a second source.
 */
import type { Family } from "./address.ts";
import { encodeFlags, maxThreatGrade, type NetworkKind } from "./network-facts.ts";
import type { FeedRanges } from "./ranges.ts";

export interface Feed {
  readonly kind: NetworkKind;
  readonly ranges: FeedRanges;
}

/** Addresses from here to the start of the next segment have these flags. */
export interface FlagSegment {
  readonly start: bigint;
  readonly flags: number;
}

/**
 * Disjoint segments over the whole address space, ascending from position 0. Each ends at the start of the
 * next one and has other flags.
 */
export function combineFeeds(family: Family, feeds: readonly Feed[]): FlagSegment[] {
  const events = collectRangeEnds(family, feeds);
  const { high, low, feed, count } = events;
  const order = sortByPosition(high, low);
  const coverage = new Coverage(feeds);
  const segments: FlagSegment[] = [{ start: 0n, flags: 0 }];
  let current = 0;
  for (let index = 0; index < order.length; index += 1) {
    const event = order[index] ?? 0;
    coverage.change(feed[event] ?? 0, count[event] ?? 0);
    const next = order[index + 1];
    const samePosition =
      next !== undefined && high[next] === high[event] && low[next] === low[event];
    if (samePosition) continue;
    const flags = coverage.encodeFlags();
    if (flags === current) continue;
    current = flags;
    const start = (BigInt(high[event] ?? 0) << 32n) | BigInt(low[event] ?? 0);
    if (start === 0n) segments.pop();
    segments.push({ start, flags });
  }
  return segments;
}

/** The positions where ranges begin (count above 0), and those after their ends (count below 0). */
function collectRangeEnds(family: Family, feeds: readonly Feed[]) {
  const total = feeds.reduce((sum, { ranges }) => sum + ranges.byFamily[family].length, 0) * 2;
  const high = new Uint32Array(total);
  const low = new Uint32Array(total);
  const feed = new Uint16Array(total);
  const count = new Int8Array(total);
  const topHigh = family === 4 ? 0 : 0xffff_ffff;
  let used = 0;
  for (const [feedIndex, { ranges }] of feeds.entries()) {
    const columns = ranges.byFamily[family];
    for (let row = 0; row < columns.length; row += 1) {
      const lastHigh = columns.lastHigh[row] ?? 0;
      const lastLow = columns.lastLow[row] ?? 0;
      const sources = columns.count[row] ?? 0;
      high[used] = columns.firstHigh[row] ?? 0;
      low[used] = columns.firstLow[row] ?? 0;
      feed[used] = feedIndex;
      count[used] = sources;
      used += 1;
      // A range that includes the very last address has no position after its end.
      if (lastLow === 0xffff_ffff && lastHigh === topHigh) continue;
      high[used] = lastLow === 0xffff_ffff ? lastHigh + 1 : lastHigh;
      low[used] = lastLow === 0xffff_ffff ? 0 : lastLow + 1;
      feed[used] = feedIndex;
      count[used] = -sources;
      used += 1;
    }
  }
  return { high: high.subarray(0, used), low: low.subarray(0, used), feed, count };
}

function sortByPosition(high: Uint32Array, low: Uint32Array): Uint32Array {
  const order = new Uint32Array(high.length);
  for (let index = 0; index < order.length; index += 1) order[index] = index;
  return order.sort((a, b) => (high[a] ?? 0) - (high[b] ?? 0) || (low[a] ?? 0) - (low[b] ?? 0));
}

/** The feeds that cover the current position of the sweep. */
class Coverage {
  private readonly kinds: readonly NetworkKind[];
  /** The number of open ranges by feed and count. The row of a feed has maxThreatGrade + 1 cells. */
  private readonly open: Uint32Array;
  /** The largest count among the open ranges of each feed; 0 if none is open. */
  private readonly largest: Uint8Array;

  constructor(feeds: readonly Feed[]) {
    this.kinds = feeds.map((feed) => feed.kind);
    this.open = new Uint32Array(feeds.length * (maxThreatGrade + 1));
    this.largest = new Uint8Array(feeds.length);
  }

  /** Opens a range of the feed with this count, or closes one if the count is negative. */
  change(feed: number, signedCount: number): void {
    const row = feed * (maxThreatGrade + 1);
    const count = Math.abs(signedCount);
    const cell = row + count;
    this.open[cell] = (this.open[cell] ?? 0) + Math.sign(signedCount);
    let largest = Math.max(this.largest[feed] ?? 0, count);
    while (largest > 0 && this.open[row + largest] === 0) largest -= 1;
    this.largest[feed] = largest;
  }

  encodeFlags(): number {
    const covering = new Set<NetworkKind>();
    let grade = 0;
    for (const [feed, kind] of this.kinds.entries()) {
      const largest = this.largest[feed] ?? 0;
      if (largest === 0) continue;
      covering.add(kind);
      if (kind === "threat") grade += largest;
    }
    return encodeFlags(covering, grade);
  }
}
