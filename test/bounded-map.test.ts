import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundedMap } from "../src/bounded-map.ts";

interface Item {
  readonly name: string;
  readonly weight: number;
}

function item(name: string, weight = 1): Item {
  return { name, weight };
}

function keysOf(map: BoundedMap<string, Item>): string[] {
  return [...map].map(([key]) => key);
}

describe("A bounded map", () => {
  it("returns what was set, and undefined for other keys", () => {
    const map = new BoundedMap<string, Item>({ maxEntries: 2 });
    map.set("a", item("first"));
    expect(map.get("a")).toEqual(item("first"));
    expect(map.get("b")).toBeUndefined();
    expect(map.size).toBe(1);
  });

  it("evicts the oldest entry when it is full", () => {
    const map = new BoundedMap<string, Item>({ maxEntries: 2 });
    for (const key of ["a", "b", "c"]) map.set(key, item(key));
    expect(keysOf(map)).toEqual(["b", "c"]);
  });

  it("counts an entry that is set again as the newest, and as one", () => {
    const map = new BoundedMap<string, Item>({ maxEntries: 2 });
    for (const key of ["a", "b", "a", "c"]) map.set(key, item(key));
    expect(keysOf(map)).toEqual(["a", "c"]);
  });

  it("does not count a read as a use", () => {
    const map = new BoundedMap<string, Item>({ maxEntries: 2 });
    for (const key of ["a", "b"]) map.set(key, item(key));
    map.get("a");
    map.set("c", item("c"));
    expect(keysOf(map)).toEqual(["b", "c"]);
  });

  it("evicts as many of the oldest entries as the weight of a new entry requires", () => {
    const map = new BoundedMap<string, Item>({
      maxEntries: 10,
      maxWeight: 5,
      weightOf: ({ weight }) => weight,
    });
    for (const key of ["a", "b", "c"]) map.set(key, item(key));
    map.set("d", item("d", 4));
    expect(keysOf(map)).toEqual(["c", "d"]);
    map.set("e", item("e", 6));
    expect(keysOf(map)).toEqual([]);
  });

  it("frees the weight of entries that are deleted, replaced or cleared", () => {
    const map = new BoundedMap<string, Item>({
      maxEntries: 10,
      maxWeight: 5,
      weightOf: ({ weight }) => weight,
    });
    map.set("a", item("a", 3));
    map.set("b", item("b", 2));
    map.delete("a");
    map.delete("a");
    map.set("b", item("b", 1));
    map.set("c", item("c", 4));
    expect(keysOf(map)).toEqual(["b", "c"]);
    map.clear();
    expect(map.size).toBe(0);
    map.set("d", item("d", 5));
    expect(keysOf(map)).toEqual(["d"]);
  });

  it("may be changed while its entries are read", () => {
    const map = new BoundedMap<string, Item>({ maxEntries: 3 });
    for (const key of ["a", "b", "c"]) map.set(key, item(key));
    for (const [key] of map) if (key !== "b") map.delete(key);
    expect(keysOf(map)).toEqual(["b"]);
  });

  it("keeps the newest entries that fit, for any sequence of changes", () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e", "f"),
      weight: fc.option(fc.integer({ min: 0, max: 4 })),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const map = new BoundedMap<string, Item>({
          maxEntries: 4,
          maxWeight: 8,
          weightOf: ({ weight }) => weight,
        });
        let expected: { key: string; weight: number }[] = [];
        const total = () => expected.reduce((sum, { weight }) => sum + weight, 0);
        for (const { key, weight } of steps) {
          expected = expected.filter((entry) => entry.key !== key);
          if (weight === null) map.delete(key);
          else {
            map.set(key, item(key, weight));
            expected.push({ key, weight });
          }
          while (expected.length > 4 || total() > 8) expected.shift();
          expect(keysOf(map)).toEqual(expected.map((entry) => entry.key));
        }
      }),
    );
  });
});
