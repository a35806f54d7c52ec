/**
 * Long computations in slices. An isolate runs one piece of code at a time, so a request that computes for long
 * holds up all others. Between two slices the others have their turn.
 *
 * Slices are counted and not timed, because the platform's clock stands still while code runs.
 */

/** Lets the isolate's other requests run. An answer of a store alone may arrive without a turn for them. */
export async function yieldToOthers(): Promise<void> {
  await scheduler.wait(0);
}

/** Yields the items in slices of at most `maxItems`, and lets other requests run in between. */
export async function* sliceWork<T>(
  items: readonly T[],
  maxItems: number,
): AsyncGenerator<readonly T[]> {
  for (let start = 0; start < items.length; start += maxItems) {
    if (start > 0) await yieldToOthers();
    yield items.slice(start, start + maxItems);
  }
}

/** Maps the items in slices of at most `maxItems`, and lets other requests run in between. */
export async function mapInSlices<T, R>(
  items: readonly T[],
  maxItems: number,
  map: (item: T) => R | Promise<R>,
): Promise<R[]> {
  const mapped: R[] = [];
  for await (const slice of sliceWork(items, maxItems)) {
    mapped.push(...(await Promise.all(slice.map(map))));
  }
  return mapped;
}
