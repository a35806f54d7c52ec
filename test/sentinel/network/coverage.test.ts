import fc from "fast-check";
import { expect, it } from "vitest";
import { measureCoverage } from "../../../src/sentinel/network/coverage.ts";
import { FeedRanges } from "../../../src/sentinel/network/ranges.ts";

/** Ranges near each other, also across the border of the 32-bit halves of a position. */
const ranges = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 20 })),
  { maxLength: 12 },
);

it.each([
  [4, 0n],
  [4, 0xffff_ff00n],
  [6, 0x2001_0db8_ffff_ffe0n],
  [6, 0n],
] as const)(
  "Each address of IPv%d that a list contains is covered once (from %d)",
  (family, base) => {
    fc.assert(
      fc.property(ranges, (pairs) => {
        const list = new FeedRanges();
        const contained = new Set<number>();
        for (const [start, length] of pairs) {
          const first = base + BigInt(start);
          const last = first + BigInt(length);
          if (family === 4) list.add(4, first, last);
          else list.add(6, first << 64n, (last << 64n) | 0xffffn);
          for (let at = start; at <= start + length; at += 1) contained.add(at);
        }
        const covered = measureCoverage(list);
        const expected = { addresses: 0, networks: 0 };
        expected[family === 4 ? "addresses" : "networks"] = contained.size;
        expect(covered).toEqual(expected);
      }),
    );
  },
);

it("The whole of IPv6 is covered as far as a safe integer goes", () => {
  const list = new FeedRanges();
  list.add(6, 0n, (1n << 128n) - 1n);
  list.add(4, 0n, (1n << 32n) - 1n);
  expect(measureCoverage(list)).toEqual({
    addresses: 2 ** 32,
    networks: Number.MAX_SAFE_INTEGER,
  });
});
