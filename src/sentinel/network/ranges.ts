/**
 * A growing list of address ranges, in columns of plain numbers. As objects with bigints, hundreds of
 * thousands of ranges would take several times the memory, and sorting them several times as long.
 */
import type { Family } from "./address.ts";
import { maxThreatGrade } from "./network-facts.ts";

const initialCapacity = 1024;

/**
 * The ranges of one family. Columns have the 32-bit halves of positions; the first `length` rows are used.
 */
export class RangeColumns {
  length = 0;
  firstHigh = new Uint32Array(initialCapacity);
  firstLow = new Uint32Array(initialCapacity);
  lastHigh = new Uint32Array(initialCapacity);
  lastLow = new Uint32Array(initialCapacity);
  /** The number of sources that list the range, 1 to 15. */
  count = new Uint8Array(initialCapacity);

  /** Positions are IPv4 addresses or the top 64 bits of IPv6 addresses. `last` is inclusive. */
  push(first: bigint, last: bigint, count: number): void {
    if (this.length === this.count.length) this.grow();
    this.firstHigh[this.length] = Number(first >> 32n);
    this.firstLow[this.length] = Number(first & 0xffff_ffffn);
    this.lastHigh[this.length] = Number(last >> 32n);
    this.lastLow[this.length] = Number(last & 0xffff_ffffn);
    this.count[this.length] = Math.min(maxThreatGrade, Math.max(1, count));
    this.length += 1;
  }

  private grow(): void {
    this.firstHigh = enlarge(this.firstHigh);
    this.firstLow = enlarge(this.firstLow);
    this.lastHigh = enlarge(this.lastHigh);
    this.lastLow = enlarge(this.lastLow);
    const count = new Uint8Array(this.count.length * 2);
    count.set(this.count);
    this.count = count;
  }
}

/** The ranges of one feed. */
export class FeedRanges {
  readonly byFamily: Readonly<Record<Family, RangeColumns>> = {
    4: new RangeColumns(),
    6: new RangeColumns(),
  };

  /**
   * Adds the addresses from `first` to `last`, inclusive. An IPv6 range is widened to whole /64 networks.
   * @param count the number of sources that list it
   */
  add(family: Family, first: bigint, last: bigint, count = 1): void {
    if (family === 4) this.byFamily[4].push(first, last, count);
    else this.byFamily[6].push(first >> 64n, last >> 64n, count);
  }
}

function enlarge(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}
