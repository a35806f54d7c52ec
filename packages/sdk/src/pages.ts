/** A list that the service hands out page by page. */
import { createUnexpectedAnswer } from "./idp-error.ts";

export interface Page<Item, Cursor = string> {
  readonly items: readonly Item[];
  readonly has_more: boolean;
  /** Pass it as `after` to read the next page; null on the last one. */
  readonly next_after: Cursor | null;
}

/** The query of one page. */
export function queryOf<Filters extends object, Cursor>(
  filters: Filters,
  after: Cursor | undefined,
): Filters & { readonly after?: Cursor } {
  return { ...filters, ...(after === undefined ? {} : { after }) };
}

/** Iterate over it to read every item, or read single pages. A page is requested when it is needed. */
export class Pages<Item, Cursor = string> implements AsyncIterable<Item> {
  readonly #readPage: (after: Cursor | undefined) => Promise<Page<Item, Cursor>>;

  constructor(readPage: (after: Cursor | undefined) => Promise<Page<Item, Cursor>>) {
    this.#readPage = readPage;
  }

  /** Reads one page: the first, or the one after a `next_after`. */
  page({ after }: { readonly after?: Cursor | undefined } = {}): Promise<Page<Item, Cursor>> {
    return this.#readPage(after);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, void, undefined> {
    let after: Cursor | undefined;
    for (;;) {
      const { items, has_more, next_after } = await this.#readPage(after);
      yield* items;
      if (!has_more) return;
      // A cache that ignores the query would hand out the same page forever.
      if (next_after === null || next_after === after) {
        throw createUnexpectedAnswer("The list has more items, but no next page.");
      }
      after = next_after;
    }
  }
}
