import fc from "fast-check";
import { expect, test } from "vitest";
import { timingSafeEqual } from "../../src/crypto/constant-time.ts";

function sameContent(left: Uint8Array, right: Uint8Array): boolean {
  return [...left].join() === [...right].join();
}

test("says of any two byte strings what a plain comparison says", () => {
  // Few lengths and few values, so that equal pairs come up.
  const few = fc.uint8Array({ maxLength: 3, max: 2 });
  fc.assert(
    fc.property(few, few, (left, right) => {
      expect(timingSafeEqual(left, right)).toBe(sameContent(left, right));
    }),
    { numRuns: 1_000 },
  );
});

test("finds a copy equal, and any one changed bit unequal", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      fc.nat(),
      fc.nat(7),
      (bytes, place, bit) => {
        const copy = new Uint8Array(bytes);
        expect(timingSafeEqual(bytes, copy)).toBe(true);
        const at = place % copy.length;
        copy[at] = (copy[at] ?? 0) ^ (1 << bit);
        expect(timingSafeEqual(bytes, copy)).toBe(false);
        expect(timingSafeEqual(copy, bytes)).toBe(false);
      },
    ),
  );
});

test("finds a string unequal to what it begins with, even when the rest is zero", () => {
  const short = new Uint8Array([1, 2]);
  const long = new Uint8Array([1, 2, 0]);
  expect(timingSafeEqual(short, long)).toBe(false);
  expect(timingSafeEqual(long, short)).toBe(false);
  expect(timingSafeEqual(new Uint8Array(0), new Uint8Array(1))).toBe(false);
});

test("finds two empty strings equal", () => {
  expect(timingSafeEqual(new Uint8Array(0), new Uint8Array(0))).toBe(true);
});
