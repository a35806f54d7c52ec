import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeFeedValue,
  encodeFeedValue,
  feedValueKeyOf,
} from "../../../src/sentinel/feeds/feed-value.ts";
import { FeedRanges } from "../../../src/sentinel/network/ranges.ts";
import { feedOf } from "../network/support.ts";

const SAMPLE = feedOf("threat", "11.0.0.0/24 3", "12.0.0.1", "2a00:1::/32 2", "2a00:2::1").ranges;
const BYTES = encodeFeedValue(SAMPLE).bytes;

function rowsOf({ byFamily }: FeedRanges) {
  return ([4, 6] as const).map((family) => {
    const { length, firstHigh, firstLow, lastHigh, lastLow, count } = byFamily[family];
    return [firstHigh, firstLow, lastHigh, lastLow, count].map((column) => [
      ...column.subarray(0, length),
    ]);
  });
}

function positions(bits: number) {
  const position = fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
  return fc.tuple(position, position, fc.integer({ min: 1, max: 15 }));
}

const ranges = fc
  .tuple(fc.array(positions(32)), fc.array(positions(64)))
  .map(([v4, v6]): FeedRanges => {
    const all = new FeedRanges();
    for (const [a, b, count] of v4) all.byFamily[4].push(a < b ? a : b, a < b ? b : a, count);
    for (const [a, b, count] of v6) all.byFamily[6].push(a < b ? a : b, a < b ? b : a, count);
    return all;
  });

describe("The stored value of a feed", () => {
  it("decodes to the ranges that were encoded", () => {
    fc.assert(
      fc.property(ranges, (all) => {
        const decoded = decodeFeedValue(encodeFeedValue(all).bytes);
        expect(decoded && rowsOf(decoded)).toEqual(rowsOf(all));
      }),
    );
  });

  it("may contain more ranges than the initial size of the columns, or none", () => {
    const many = new FeedRanges();
    for (let at = 0n; at < 3_000n; at += 1n) many.add(4, at, at, 2);
    const decoded = decodeFeedValue(encodeFeedValue(many).bytes);
    expect(decoded && rowsOf(decoded)).toEqual(rowsOf(many));
    expect(decodeFeedValue(encodeFeedValue(new FeedRanges()).bytes)?.byFamily[4].length).toBe(0);
  });

  it("has an equal digest exactly when its ranges are equal", () => {
    const { digest } = encodeFeedValue(SAMPLE);
    expect(digest).toMatch(/^[0-9a-f]{16}$/);
    const other = (text: string) =>
      encodeFeedValue(feedOf("threat", ...text.split("|")).ranges).digest;
    expect(other("11.0.0.0/24 3|12.0.0.1|2a00:1::/32 2|2a00:2::1")).toBe(digest);
    expect(other("11.0.0.0/24 4|12.0.0.1|2a00:1::/32 2|2a00:2::1")).not.toBe(digest);
    expect(other("11.0.0.0/24 3|12.0.0.1|2a00:1::/32 2")).not.toBe(digest);
  });

  it("has a key of the feed's name and the digest", () => {
    expect(feedValueKeyOf("ipsum", "0011223344556677")).toBe("net/v2/feed/ipsum/0011223344556677");
  });

  it("is refused when it is truncated at any length, or longer", () => {
    for (let length = 0; length < BYTES.length; length += 1) {
      expect(decodeFeedValue(BYTES.subarray(0, length))).toBeUndefined();
    }
    const longer = new Uint8Array(BYTES.length + 9);
    longer.set(BYTES);
    expect(decodeFeedValue(longer)).toBeUndefined();
  });

  it("is refused when any single bit is flipped", () => {
    for (let bit = 0; bit < BYTES.length * 8; bit += 1) {
      const damaged = BYTES.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeFeedValue(damaged)).toBeUndefined();
    }
  });

  it("is refused without an exception when it is random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(decodeFeedValue(random)).toBeUndefined();
      }),
    );
  });

  it("may start anywhere in a larger buffer", () => {
    const larger = new Uint8Array(BYTES.length + 10);
    larger.set(BYTES, 3);
    const decoded = decodeFeedValue(larger.subarray(3, 3 + BYTES.length));
    expect(decoded && rowsOf(decoded)).toEqual(rowsOf(SAMPLE));
  });
});
