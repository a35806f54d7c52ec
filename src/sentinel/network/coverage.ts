/** How much of the address space a list covers (pure). */
import type { FeedRanges, RangeColumns } from "./ranges.ts";

const wordSize = 2 ** 32;

export interface Coverage {
  /** IPv4 addresses. */
  readonly addresses: number;
  /** IPv6 networks of 64 bits. */
  readonly networks: number;
}

/** The distance between two positions, of which only the halves are exact numbers. */
function distanceOf(fromHigh: number, fromLow: number, toHigh: number, toLow: number): number {
  return (toHigh - fromHigh) * wordSize + (toLow - fromLow);
}

/** Counts the positions that at least one range contains; at most the largest safe integer. */
function countCovered(columns: RangeColumns): number {
  const { firstHigh, firstLow, lastHigh, lastLow, length } = columns;
  const at = (column: Uint32Array, row: number) => column[row] ?? 0;
  const startsBefore = (left: number, right: number) =>
    distanceOf(at(firstHigh, right), at(firstLow, right), at(firstHigh, left), at(firstLow, left));
  const rows = Uint32Array.from({ length }, (_, row) => row).sort(startsBefore);
  let covered = 0;
  let [endHigh, endLow] = [0, -1];
  for (const row of rows) {
    const [startHigh, startLow] = [at(firstHigh, row), at(firstLow, row)];
    const [stopHigh, stopLow] = [at(lastHigh, row), at(lastLow, row)];
    const beyond = distanceOf(endHigh, endLow, stopHigh, stopLow);
    if (beyond <= 0) continue;
    covered += Math.min(beyond, distanceOf(startHigh, startLow, stopHigh, stopLow) + 1);
    [endHigh, endLow] = [stopHigh, stopLow];
  }
  return Math.min(covered, Number.MAX_SAFE_INTEGER);
}

/** An address that several ranges of the list contain counts once. */
export function measureCoverage({ byFamily }: FeedRanges): Coverage {
  return { addresses: countCovered(byFamily[4]), networks: countCovered(byFamily[6]) };
}
