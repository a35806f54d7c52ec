import fc from "fast-check";
import { expect, test } from "vitest";
import { timingSafeEqual } from "../../src/crypto/constant-time.ts";

function hasSameContent(left: Uint8Array, right: Uint8Array): boolean {
  return [...left].join() === [...right].join();
}

test("agrees with a plain comparison for any two byte strings", () => {
  // With few lengths and few values, equal pairs are likely.
  const few = fc.uint8Array({ maxLength: 3, max: 2 });
  fc.assert(
    fc.property(few, few, (left, right) => {
      expect(timingSafeEqual(left, right)).toBe(hasSameContent(left, right));
    }),
    { numRuns: 1_000 },
  );
});

test("accepts a copy and rejects a copy with one changed bit", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 64 }),
      fc.nat(),
      fc.nat(7),
      (bytes, offset, bit) => {
        const copy = new Uint8Array(bytes);
        expect(timingSafeEqual(bytes, copy)).toBe(true);
        const index = offset % copy.length;
        copy[index] = (copy[index] ?? 0) ^ (1 << bit);
        expect(timingSafeEqual(bytes, copy)).toBe(false);
        expect(timingSafeEqual(copy, bytes)).toBe(false);
      },
    ),
  );
});

test("rejects a string and its prefix, even when the remaining bytes are zero", () => {
  const short = new Uint8Array([1, 2]);
  const long = new Uint8Array([1, 2, 0]);
  expect(timingSafeEqual(short, long)).toBe(false);
  expect(timingSafeEqual(long, short)).toBe(false);
  expect(timingSafeEqual(new Uint8Array(0), new Uint8Array(1))).toBe(false);
});

test("accepts two empty strings", () => {
  expect(timingSafeEqual(new Uint8Array(0), new Uint8Array(0))).toBe(true);
});
