import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  resolveOverlaps,
  type ValueRange,
  type ValueSegment,
} from "../../../src/sentinel/network/value-segments.ts";

const END = 64n;

function rangeOf(first: number, last: number, value: number): ValueRange {
  return { first: BigInt(first), last: BigInt(last), value };
}

/** The definition: the range that starts last applies, then the narrowest, then the last in the list. */
function applyDefinition(ranges: readonly ValueRange[], position: bigint): number {
  let best: ValueRange | undefined;
  for (const one of ranges) {
    if (position < one.first || position > one.last) continue;
    const isLater = best === undefined || one.first > best.first;
    const isNarrower = best !== undefined && one.first === best.first && one.last <= best.last;
    if (isLater || isNarrower) best = one;
  }
  return best?.value ?? 0;
}

function findValueAt(segments: readonly ValueSegment[], position: bigint): number | undefined {
  return segments.findLast(({ start }) => start <= position)?.value;
}

function spellSegments(...ranges: ValueRange[]): string {
  const segments = resolveOverlaps(ranges, 16n);
  return Array.from({ length: 16 }, (_, at) => findValueAt(segments, BigInt(at))).join("");
}

/** Many ranges on few positions, so that they nest, cross, touch and coincide. */
const crowded = fc.array(
  fc
    .tuple(fc.nat({ max: 63 }), fc.nat({ max: 63 }), fc.nat({ max: 4 }))
    .map(([a, b, value]) => rangeOf(Math.min(a, b), Math.max(a, b), value)),
  { maxLength: 14 },
);

describe("The resolution of overlaps", () => {
  it("agrees with the definition at every position, for any overlaps", () => {
    fc.assert(
      fc.property(crowded, (ranges) => {
        const segments = resolveOverlaps(ranges, END);
        for (let at = 0n; at < END; at += 1n) {
          expect(findValueAt(segments, at)).toBe(applyDefinition(ranges, at));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("returns segments that ascend from 0 to before the end and differ from their neighbours", () => {
    fc.assert(
      fc.property(crowded, (ranges) => {
        const segments = resolveOverlaps(ranges, END);
        expect(segments[0]?.start).toBe(0n);
        for (const [index, { start, value }] of segments.entries()) {
          const before = segments[index - 1];
          expect(start < END).toBe(true);
          if (before === undefined) continue;
          expect(start > before.start).toBe(true);
          expect(value).not.toBe(before.value);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("does not depend on the order of ranges that start or end differently", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc
            .tuple(fc.nat({ max: 63 }), fc.nat({ max: 63 }), fc.integer({ min: 1, max: 4 }))
            .map(([a, b, value]) => rangeOf(Math.min(a, b), Math.max(a, b), value)),
          { maxLength: 10, selector: ({ first, last }) => `${first}-${last}` },
        ),
        (ranges) => {
          expect(resolveOverlaps(ranges.toReversed(), END)).toEqual(resolveOverlaps(ranges, END));
        },
      ),
    );
  });

  it("returns one unknown segment when there is no range", () => {
    expect(resolveOverlaps([], END)).toEqual([{ start: 0n, value: 0 }]);
  });

  it("prefers the narrower of two nested ranges, and returns to the wider one after it", () => {
    expect(spellSegments(rangeOf(2, 12, 1), rangeOf(5, 7, 2))).toBe("0011122211111000");
    expect(spellSegments(rangeOf(2, 12, 1), rangeOf(2, 4, 2))).toBe("0022211111111000");
    expect(spellSegments(rangeOf(2, 12, 1), rangeOf(10, 12, 2))).toBe("0011111111222000");
    expect(spellSegments(rangeOf(1, 14, 1), rangeOf(3, 11, 2), rangeOf(5, 6, 3))).toBe(
      "0112233222221110",
    );
  });

  it("prefers the later of two crossing ranges", () => {
    expect(spellSegments(rangeOf(2, 8, 1), rangeOf(6, 12, 2))).toBe("0011112222222000");
  });

  it("prefers the last of two equal ranges", () => {
    expect(spellSegments(rangeOf(2, 8, 1), rangeOf(2, 8, 2))).toBe("0022222220000000");
  });

  it("returns to the range that is still open after a hidden range has ended", () => {
    expect(spellSegments(rangeOf(1, 14, 1), rangeOf(3, 6, 2), rangeOf(4, 9, 3))).toBe(
      "0112333333111110",
    );
  });

  it("treats a range with an unknown value as a hole", () => {
    expect(spellSegments(rangeOf(2, 12, 1), rangeOf(5, 7, 0))).toBe("0011100011111000");
  });

  it("covers both ends of the space", () => {
    expect(spellSegments(rangeOf(0, 15, 7))).toBe("7".repeat(16));
    expect(spellSegments(rangeOf(0, 0, 1), rangeOf(15, 15, 2))).toBe("1000000000000002");
    const end = 1n << 64n;
    const whole = [{ first: 0n, last: end - 1n, value: 9 }];
    expect(resolveOverlaps(whole, end)).toEqual([{ start: 0n, value: 9 }]);
  });
});
