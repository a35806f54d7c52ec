/**
 * Resolves overlapping ranges with a value, such as an ASN or a country, into disjoint segments (pure). Of
 * two nested ranges the narrower one wins, because it is more specific; of two ranges that cross, the one
 * that starts later.
 */

/** Ends are inclusive. */
export interface ValueRange {
  readonly first: bigint;
  readonly last: bigint;
  /** 0 means unknown. */
  readonly value: number;
}

/** Addresses from here to the start of the next segment have this value. */
export interface ValueSegment {
  readonly start: bigint;
  readonly value: number;
}

function compareStarts(left: ValueRange, right: ValueRange): number {
  if (left.first !== right.first) return left.first < right.first ? -1 : 1;
  if (left.last === right.last) return 0;
  return left.last > right.last ? -1 : 1;
}

/**
 * Segments over the whole space before `end`, ascending from position 0. Adjacent segments have different
 * values.
 */
export function resolveOverlaps(ranges: readonly ValueRange[], end: bigint): ValueSegment[] {
  const segments: ValueSegment[] = [{ start: 0n, value: 0 }];
  /** Ranges that cover the current position. The last one gives the value. */
  const open: ValueRange[] = [];

  function setValue(start: bigint, value: number): void {
    if (start >= end) return;
    const last = segments.at(-1);
    if (last?.start === start) segments.pop();
    if (segments.at(-1)?.value !== value) segments.push({ start, value });
  }

  /** Closes the ranges that end before the position. The range below each of them gives the value again. */
  function closeUntil(position: bigint): void {
    for (let top = open.at(-1); top !== undefined && top.last < position; top = open.at(-1)) {
      open.pop();
      const after = top.last + 1n;
      while (open.length > 0 && (open.at(-1)?.last ?? 0n) < after) open.pop();
      setValue(after, open.at(-1)?.value ?? 0);
    }
  }

  for (const range of ranges.toSorted(compareStarts)) {
    closeUntil(range.first);
    open.push(range);
    setValue(range.first, range.value);
  }
  closeUntil(end);
  return segments;
}
