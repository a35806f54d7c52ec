import { describe, expect, it } from "vitest";
import { mapConcurrently } from "../src/concurrent.ts";

describe("Concurrent work", () => {
  it("returns the results in the order of the items, and runs so many at most", async () => {
    let running = 0;
    let most = 0;
    const results = await mapConcurrently([3, 1, 2, 5, 4], 2, async (item) => {
      running += 1;
      most = Math.max(most, running);
      for (let n = 0; n < item; n += 1) await Promise.resolve();
      running -= 1;
      return item * 10;
    });
    expect(results).toEqual([30, 10, 20, 50, 40]);
    expect(most).toBe(2);
  });

  it("begins nothing any more after an item that failed", async () => {
    const begun: number[] = [];
    const under = Promise.withResolvers<void>();
    const working = mapConcurrently([0, 1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      if (item === 0) throw new Error("no");
      await under.promise;
    });
    await expect(working).rejects.toThrow("no");
    under.resolve();
    await scheduler.wait(0);
    expect(begun).toEqual([0, 1]);
  });
});
