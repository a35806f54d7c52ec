/** The counts of the newest hour, which the row of the tree head has. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HourCounts } from "../../../src/audit/statistics/count-events.ts";
import { addToRecentCounts } from "../../../src/audit/statistics/recent-counts.ts";

const counts = fc.dictionary(
  fc.constantFrom("events", "verifications.success", "locks.locked"),
  fc.nat(9),
);
const added = fc.uniqueArray(fc.record({ hour: fc.nat(5), counts }), {
  selector: ({ hour }) => hour,
  maxLength: 4,
});

/** The sums by hour and counter, without zeros. */
function sumAll(all: readonly HourCounts[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { hour, counts } of all) {
    for (const [name, count] of Object.entries(counts)) {
      if (count > 0) sums[`${hour} ${name}`] = (sums[`${hour} ${name}`] ?? 0) + count;
    }
  }
  return sums;
}

describe("The counts of the newest hour", () => {
  it("and those that left the row add up to all that were added, in any order of hours", () => {
    fc.assert(
      fc.property(fc.array(added, { maxLength: 6 }), (slices) => {
        let row: string | null = null;
        const left: HourCounts[] = [];
        for (const slice of slices) {
          const result = addToRecentCounts(row, slice);
          row = result.recentCounts;
          left.push(...result.finishedHours);
        }
        const stays: HourCounts[] = row === null ? [] : [JSON.parse(row)];
        expect(sumAll([...left, ...stays])).toEqual(sumAll(slices.flat()));
        const hours = slices.flat().map(({ hour }) => hour);
        expect(stays.map(({ hour }) => hour)).toEqual(
          hours.length === 0 ? [] : [Math.max(...hours)],
        );
      }),
    );
  });

  it.each(["", "{", "[]", '{"hour":"1","counts":{}}', '{"hour":1,"counts":{"events":"2"}}'])(
    "are none if the text was altered: %s",
    (text) => {
      const one = { hour: 3, counts: { events: 2 } };
      expect(addToRecentCounts(text, [one])).toEqual({
        recentCounts: JSON.stringify(one),
        finishedHours: [],
      });
    },
  );
});
