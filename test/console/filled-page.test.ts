import { type Page, Pages } from "@edge-idp/sdk";
import { describe, expect, it } from "vitest";
import { readFilledPage } from "../../console/src/parts/filled-page.ts";

/** A list whose pages look at `looked` items each, of which only multiples of `every` match. */
function createList(total: number, looked: number, every: number) {
  let requests = 0;
  const list = new Pages(async (after): Promise<Page<number>> => {
    requests += 1;
    const from = Number(after ?? 0);
    const to = Math.min(total, from + looked);
    const seen = Array.from({ length: to - from }, (_, index) => from + index);
    const items = seen.filter((item) => item % every === 0);
    const has_more = to < total;
    return { items, has_more, next_after: has_more ? String(to) : null };
  });
  return { list, countRequests: () => requests };
}

describe("A page of a filtered list", () => {
  it("is filled from short and empty pages", async () => {
    const { list } = createList(1_000, 10, 50);
    const page = await readFilledPage(list, 4, undefined);
    expect(page).toEqual({ items: [0, 50, 100, 150], next_after: "160" });
    const next = await readFilledPage(list, 4, page.next_after ?? undefined);
    expect(next.items).toEqual([200, 250, 300, 350]);
  });

  it("ends where the list ends", async () => {
    const { list } = createList(30, 10, 7);
    expect(await readFilledPage(list, 50, undefined)).toEqual({
      items: [0, 7, 14, 21, 28],
      next_after: null,
    });
  });

  it("stops to ask if nothing matches for long", async () => {
    const { list, countRequests } = createList(10_000, 10, 9_999);
    const page = await readFilledPage(list, 50, "10");
    expect(page).toEqual({ items: [], next_after: "260" });
    expect(countRequests()).toBe(25);
  });
});
