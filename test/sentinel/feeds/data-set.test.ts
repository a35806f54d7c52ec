import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { putInForce } from "../../../src/sentinel/feeds/data-set.ts";
import { feedListKey, parseFeedList } from "../../../src/sentinel/feeds/feed-record.ts";
import { feedValueKeyOf } from "../../../src/sentinel/feeds/feed-value.ts";
import { currentKey } from "../../../src/sentinel/network/current-data-set.ts";
import { lookupNetwork } from "../../../src/sentinel/network/lookup.ts";
import { shardKeyOf } from "../../../src/sentinel/network/shard.ts";
import { addressOf, NOW, WatchedStore } from "../network/support.ts";
import { computeExpected, lookUpAll, put, type SetName, SteppedStore, sets } from "./data-sets.ts";

const HOUR_MS = 60 * 60 * 1000;
const RETENTION_MS = 48 * HOUR_MS;
const MISSING = "missing";

/** Creates stores that contain `before`, and counts the steps from there to `after`. */
async function prepareChange(before: SetName | undefined, after: SetName) {
  const start = async () => {
    const store = new SteppedStore();
    if (before !== undefined) await put(store, sets[before](NOW), NOW);
    store.written.length = 0;
    return store;
  };
  const trial = await start();
  let steps = 0;
  trial.beforeStep = () => {
    steps += 1;
  };
  await put(trial, sets[after](NOW), NOW);
  return { start, steps };
}

async function listKeysOf(name: SetName): Promise<Set<string>> {
  const { shards, feedValues } = sets[name](NOW);
  return new Set([
    ...shards.map((shard) => shardKeyOf(shard, shard.digest)),
    ...feedValues.map((value) => feedValueKeyOf(value.name, value.digest)),
  ]);
}

describe("A data set", () => {
  it("is complete for a reader after the first write", async () => {
    const store = new SteppedStore();
    const progress: [number, number][] = [];
    const set = sets.a(NOW);
    const published = await putInForce(store, set, NOW, 1_000, (done, total) =>
      progress.push([done, total]),
    );
    const count = set.shards.length;
    expect(published).toEqual({ written: count, unchanged: 0, removed: 0, complete: true });
    expect(progress.at(-1)).toEqual([count, count]);
    expect(await lookUpAll(store)).toBe(await computeExpected("a"));
    expect(await lookUpAll(store)).not.toContain('"reason"');
    const list = store.values.get(feedListKey);
    expect(parseFeedList(new TextDecoder().decode(list))).toEqual(set.list);
  });

  it("is written in an order in which no value names one that does not exist yet", async () => {
    const store = new SteppedStore();
    await put(store, sets.a(NOW), NOW);
    const parts = store.written.map((key) => key.split("/")[2]);
    const shards = parts.filter((part) => part === "4" || part === "6");
    expect(parts).toEqual([...shards, "feed", "feed", "current", "feeds"]);
  });

  it("that is in force already is written again without shards or feed values", async () => {
    const store = new SteppedStore();
    await put(store, sets.a(NOW), NOW);
    store.written.length = 0;
    const published = await put(store, sets.a(NOW + 1), NOW + 1);
    expect(published).toMatchObject({ written: 0, unchanged: sets.a(NOW).shards.length });
    expect(store.written).toEqual([currentKey, feedListKey]);
  });

  it("may name stored shards by their digest alone", async () => {
    const store = new SteppedStore();
    await put(store, sets.a(NOW), NOW);
    const set = sets.a(NOW);
    const shards = set.shards.map(({ family, number, digest }) => ({ family, number, digest }));
    const published = await put(store, { ...set, shards, feedValues: [] }, NOW);
    expect(published).toMatchObject({ written: 0, unchanged: shards.length, complete: true });
    expect(await lookUpAll(store)).toBe(await computeExpected("a"));
  });

  it("leaves the keys of others unchanged", async () => {
    const store = new SteppedStore();
    const others = ["pop/v1/tenant", "net/v1/manifest", "net/v2/pending", "other"];
    for (const key of others) store.values.set(key, new Uint8Array(1));
    await put(store, sets.a(NOW), NOW);
    await put(store, sets.b(NOW), NOW + 3 * RETENTION_MS);
    await put(store, sets.c(NOW), NOW + 6 * RETENTION_MS);
    for (const key of others) expect(store.values.has(key)).toBe(true);
  });
});

describe("A reader during the change from one data set to another", () => {
  it.each<[SetName | undefined, SetName]>([
    [undefined, "a"],
    ["a", "b"],
    ["b", "c"],
    ["c", "a"],
  ])(
    "(%s to %s) finds the old one or the new one complete, at every step",
    async (before, after) => {
      const { start } = await prepareChange(before, after);
      const store = await start();
      const old =
        before === undefined ? await lookUpAll(new SteppedStore()) : await computeExpected(before);
      const updated = await computeExpected(after);
      if (before === undefined) expect(old).toContain(MISSING);
      const seen: string[] = [];
      store.beforeStep = async () => {
        seen.push(await lookUpAll(store));
      };
      await put(store, sets[after](NOW), NOW);
      seen.push(await lookUpAll(store));
      const swap = seen.indexOf(updated);
      expect(seen).toEqual(seen.map((_, step) => (step < swap ? old : updated)));
      expect(swap).toBeGreaterThan(0);
    },
  );

  it.each<[SetName | undefined, SetName]>([
    [undefined, "a"],
    ["a", "b"],
    ["b", "c"],
  ])(
    "(%s to %s) that fails finds one of them complete, and the new one after a retry",
    async (before, after) => {
      const { start, steps } = await prepareChange(before, after);
      const old =
        before === undefined ? await lookUpAll(new SteppedStore()) : await computeExpected(before);
      const updated = await computeExpected(after);
      for (let last = 0; last < steps; last += 1) {
        const store = await start();
        let step = 0;
        store.beforeStep = () => {
          step += 1;
          if (step > last) throw new Error("stopped");
        };
        await expect(put(store, sets[after](NOW), NOW)).rejects.toThrow("stopped");
        const isSwapped = store.written.includes(currentKey);
        expect(await lookUpAll(store)).toBe(isSwapped ? updated : old);

        const before = new Set(store.written);
        store.beforeStep = () => {};
        store.written.length = 0;
        expect(await put(store, sets[after](NOW), NOW)).toMatchObject({ complete: true });
        expect(await lookUpAll(store)).toBe(updated);
        const again = store.written.filter((key) => before.has(key) && /\/(4|6|feed)\//.test(key));
        expect(again).toEqual([]);
      }
    },
  );

  it("finds the shards of a data set that its isolate has cached, for a day", async () => {
    const store = new SteppedStore();
    await put(store, sets.a(NOW), NOW);
    const reader = new WatchedStore(store.values);
    // Caches the names of the shards without reading one of them.
    await lookupNetwork(reader, addressOf("99.0.0.1"), NOW);
    for (const [hours, name] of [
      [1, "b"],
      [2, "c"],
      [23, "b"],
    ] as const) {
      await put(store, sets[name](NOW + hours * HOUR_MS), NOW + hours * HOUR_MS);
    }
    const at = NOW + 24 * HOUR_MS - 1;
    const { facts, reason } = await lookupNetwork(reader, addressOf("11.128.0.1"), at);
    expect([facts?.country, reason]).toEqual(["DE", undefined]);
  });
});

describe("A data set with more shards than one run may write", () => {
  it("comes into force when its last shard is written", async () => {
    const { start } = await prepareChange("a", "b");
    const store = await start();
    const { shards } = sets.b(NOW);
    const missing = shards.filter((shard) => !store.values.has(shardKeyOf(shard, shard.digest)));
    const runs = Math.ceil(missing.length / 3);
    expect(runs).toBeGreaterThan(2);
    for (let run = 1; run < runs; run += 1) {
      const published = await put(store, sets.b(NOW), NOW, 3);
      expect(published).toMatchObject({ written: 3, complete: false });
      expect(await lookUpAll(store)).toBe(await computeExpected("a"));
    }
    expect(await put(store, sets.b(NOW), NOW, 3)).toMatchObject({ complete: true });
    expect(await lookUpAll(store)).toBe(await computeExpected("b"));
  });
});

describe("A value that no data set names any more", () => {
  it("is removed by the first change after two days, and not before", async () => {
    const store = new SteppedStore();
    await put(store, sets.a(NOW), NOW);
    await put(store, sets.b(NOW), NOW + HOUR_MS);
    const named = await listKeysOf("b");
    const unnamed = [...(await listKeysOf("a"))].filter((key) => !named.has(key));
    expect(unnamed.length).toBeGreaterThan(0);
    const early = await put(store, sets.b(NOW), NOW + HOUR_MS + RETENTION_MS - 1);
    expect(early.removed).toBe(0);
    for (const key of unnamed) expect(store.values.has(key)).toBe(true);
    const due = await put(store, sets.b(NOW), NOW + HOUR_MS + RETENTION_MS);
    expect(due.removed).toBe(unnamed.length);
    for (const key of unnamed) expect(store.values.has(key)).toBe(false);
    for (const key of named) expect(store.values.has(key)).toBe(true);
  });

  it("stays two more days when it was named in between", async () => {
    const store = new SteppedStore();
    const steps: [SetName, number][] = [
      ["a", 0],
      ["b", 1],
      ["a", 2],
      ["b", 50],
      ["b", 97],
    ];
    for (const [name, hours] of steps) await put(store, sets[name](NOW), NOW + hours * HOUR_MS);
    const named = await listKeysOf("b");
    const unnamed = [...(await listKeysOf("a"))].filter((key) => !named.has(key));
    for (const key of unnamed) expect(store.values.has(key)).toBe(true);
    await put(store, sets.b(NOW), NOW + 98 * HOUR_MS);
    for (const key of unnamed) expect(store.values.has(key)).toBe(false);
  });

  it("is removed after an import that failed", async () => {
    const store = new SteppedStore();
    await put(store, sets.a(NOW), NOW);
    store.beforeStep = (key) => {
      if (key === currentKey) throw new Error("stopped");
    };
    await expect(put(store, sets.b(NOW), NOW)).rejects.toThrow("stopped");
    store.beforeStep = () => {};
    const named = await listKeysOf("a");
    const orphans = [...(await listKeysOf("b"))].filter((key) => !named.has(key));
    for (const key of orphans) expect(store.values.has(key)).toBe(true);
    await put(store, sets.a(NOW), NOW + HOUR_MS);
    await put(store, sets.a(NOW), NOW + HOUR_MS + RETENTION_MS);
    for (const key of orphans) expect(store.values.has(key)).toBe(false);
    expect(await lookUpAll(store, NOW + HOUR_MS)).toBe(await computeExpected("a"));
  });

  it.each(["", "{", "[]", '{"net/v2/4/0b0/00":"then"}'])(
    "stays two more days when the record of retired keys is %j",
    async (text) => {
      const store = new SteppedStore();
      await put(store, sets.a(NOW), NOW);
      await put(store, sets.b(NOW), NOW);
      store.values.set("net/v2/retired", new TextEncoder().encode(text));
      expect(await put(store, sets.b(NOW), NOW + RETENTION_MS)).toMatchObject({ removed: 0 });
      const { removed } = await put(store, sets.b(NOW), NOW + 2 * RETENTION_MS);
      expect(removed).toBeGreaterThan(0);
    },
  );

  it("is never needed by a reader, for any sequence of data sets and failures", async () => {
    const names = fc.constantFrom<SetName>("a", "b", "c");
    const step = fc.record({
      name: names,
      hours: fc.integer({ min: 0, max: 60 }),
      failsAt: fc.option(fc.nat({ max: 60 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const store = new SteppedStore();
        let now = NOW;
        let inForce: SetName | undefined;
        for (const { name, hours, failsAt } of steps) {
          now += hours * HOUR_MS;
          let remainingSteps = failsAt ?? Number.POSITIVE_INFINITY;
          store.beforeStep = (key) => {
            remainingSteps -= 1;
            if (remainingSteps < 0) throw new Error("stopped");
            if (key === currentKey) inForce = name;
          };
          await put(store, sets[name](NOW), now).catch(() => {});
          if (inForce === undefined) continue;
          expect(await lookUpAll(store)).toBe(await computeExpected(inForce));
        }
      }),
      { numRuns: 60 },
    );
  });
});
