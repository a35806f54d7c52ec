/** Binary search (pure). */

/** The last index whose value is not above the position; -1: there is none. */
export function findLastUpTo(count: number, isAbove: (index: number) => boolean): number {
  let below = -1;
  let above = count;
  while (above - below > 1) {
    const middle = (below + above) >>> 1;
    if (isAbove(middle)) above = middle;
    else below = middle;
  }
  return below;
}
