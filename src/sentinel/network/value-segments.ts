/**
 * From ranges with a value (a network's number, a country) to disjoint segments (pure). Tables
 * overlap: the narrower of two nested ranges wins, as the more specific statement, and of two that
 * cross the one that starts later.
 */

/** Ends are inclusive. */
export interface ValueRange {
  readonly first: bigint;
  readonly last: bigint;
  /** 0 means unknown. */
  readonly value: number;
}

/** From here to the start of the next one addresses have the value. */
export interface ValueSegment {
  readonly start: bigint;
  readonly value: number;
}

function byStart(left: ValueRange, right: ValueRange): number {
  if (left.first !== right.first) return left.first < right.first ? -1 : 1;
  if (left.last === right.last) return 0;
  return left.last > right.last ? -1 : 1;
}

/** Ascending from position 0, over the whole space that ends before `end`; neighbours differ. */
export function resolveOverlaps(ranges: readonly ValueRange[], end: bigint): ValueSegment[] {
  const segments: ValueSegment[] = [{ start: 0n, value: 0 }];
  /** Ranges that cover the position of the sweep; the last one has the say. */
  const open: ValueRange[] = [];

  function say(start: bigint, value: number): void {
    if (start >= end) return;
    const last = segments.at(-1);
    if (last?.start === start) segments.pop();
    if (segments.at(-1)?.value !== value) segments.push({ start, value });
  }

  /** Ends what ends before the position; what was covered by it has the say again. */
  function closeUntil(position: bigint): void {
    for (let top = open.at(-1); top !== undefined && top.last < position; top = open.at(-1)) {
      open.pop();
      const after = top.last + 1n;
      while (open.length > 0 && (open.at(-1)?.last ?? 0n) < after) open.pop();
      say(after, open.at(-1)?.value ?? 0);
    }
  }

  for (const range of ranges.toSorted(byStart)) {
    closeUntil(range.first);
    open.push(range);
    say(range.first, range.value);
  }
  closeUntil(end);
  return segments;
}
