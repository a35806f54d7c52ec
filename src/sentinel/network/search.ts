/** Binary search (pure). */

/** The last index whose value is not above the searched one; -1: none. The values must ascend. */
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
