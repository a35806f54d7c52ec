/** Pages of a filtered list, which may be short or empty although more items follow. */
import type { Pages } from "@edge-idp/sdk";

export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** Null on the last page. */
  readonly next_after: string | null;
}

/** A rare item may be far away. After so many requests the reader decides whether to search on. */
const maxRequests = 25;

/** Reads pages from `after` on until they hold about `size` items together. */
export async function readFilledPage<Item>(
  list: Pages<Item>,
  size: number,
  after: string | undefined,
): Promise<ListPage<Item>> {
  const items: Item[] = [];
  let next: string | null = after ?? null;
  for (let requests = 0; requests < maxRequests && items.length < size; requests += 1) {
    const page = await list.page({ after: next ?? undefined });
    // The cursor belongs to whole pages, so the last one may make the list longer than a page.
    items.push(...page.items);
    next = page.has_more ? page.next_after : null;
    if (next === null) break;
  }
  return { items, next_after: next };
}
