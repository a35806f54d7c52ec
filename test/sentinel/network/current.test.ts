import { base64 } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type DataSetTimes,
  encodeCurrent,
  findDigest,
  listShards,
  type NamedShard,
  openCurrent,
  readListTime,
} from "../../../src/sentinel/network/current-data-set.ts";
import { datedKinds, isFast } from "../../../src/sentinel/network/network-facts.ts";
import { buildThreatTable, findThreatFlags } from "../../../src/sentinel/network/threats.ts";
import { addressOf, feedOf, NOW } from "./support.ts";

const TIMES: DataSetTimes = {
  builtAt: NOW,
  threatsAt: NOW - 1,
  lists: { tor: NOW - 2, asn: NOW - 3 },
};
const SHARDS: NamedShard[] = [
  { family: 6, number: 0x2a026, digest: "00112233445566ff" },
  { family: 4, number: 0xfff, digest: "ffffffffffffffff" },
  { family: 4, number: 0, digest: "0000000000000000" },
  { family: 4, number: 0x011, digest: "0123456789abcdef" },
  { family: 6, number: 0x00011, digest: "8877665544332211" },
];
const THREATS = buildThreatTable([
  feedOf("tor", "11.0.0.1", "2a00::1"),
  feedOf("threat", "11.0.0.0/24 3"),
]);
const BYTES = encodeCurrent(TIMES, SHARDS, THREATS);

function openOrFail(bytes: Uint8Array) {
  const current = openCurrent(bytes);
  if (current === undefined) throw new Error("not opened");
  return current;
}

const shardLists = fc
  .uniqueArray(
    fc.record({
      family: fc.constantFrom(4 as const, 6 as const),
      number: fc.nat({ max: 4095 }),
      bytes: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    }),
    { selector: ({ family, number }) => `${family}/${number}`, maxLength: 60 },
  )
  .map((list) =>
    list.map(({ family, number, bytes }): NamedShard => {
      const digest = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      return { family, number, digest };
    }),
  );

describe("The value that names the data set in force", () => {
  it("opens to the times, shards and threats that were written", () => {
    const current = openOrFail(BYTES);
    expect(current).toMatchObject({ builtAt: NOW, threatsAt: NOW - 1 });
    for (const kind of datedKinds) {
      expect(readListTime(current, kind)).toBe(TIMES.lists[kind] ?? 0);
    }
    expect(current.shards).toEqual({ v4: 3, v6: 2 });
    expect(findThreatFlags(current.threats, addressOf("11.0.0.1"))).not.toBe(0);
    expect(findThreatFlags(current.threats, addressOf("2a00::2"))).not.toBe(0);
    expect(findThreatFlags(current.threats, addressOf("11.0.1.0"))).toBe(0);
  });

  it("names exactly the shards that it was built from, in order", () => {
    fc.assert(
      fc.property(shardLists, (shards) => {
        const current = openOrFail(encodeCurrent(TIMES, shards, THREATS));
        const ordered = shards.toSorted((a, b) => a.family - b.family || a.number - b.number);
        expect(listShards(current)).toEqual(ordered);
        for (const family of [4, 6] as const) {
          for (const number of [
            0,
            4095,
            ...shards.flatMap((one) => [one.number, one.number + 1]),
          ]) {
            const expected = shards.find((one) => one.family === family && one.number === number);
            expect(findDigest(current, { family, number })).toBe(expected?.digest);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("distinguishes the shards of the two families", () => {
    const current = openOrFail(BYTES);
    expect(findDigest(current, { family: 4, number: 0x011 })).toBe("0123456789abcdef");
    expect(findDigest(current, { family: 6, number: 0x011 })).toBe("8877665544332211");
    expect(findDigest(current, { family: 6, number: 0xfff })).toBeUndefined();
  });

  it("may be empty", () => {
    const current = openOrFail(
      encodeCurrent({ builtAt: 0, threatsAt: 0, lists: {} }, [], buildThreatTable([])),
    );
    expect(listShards(current)).toEqual([]);
    expect(findDigest(current, { family: 4, number: 0 })).toBeUndefined();
    expect(findThreatFlags(current.threats, addressOf("11.0.0.1"))).toBe(0);
  });

  // Written by the build before the one that states the times of the kinds.
  const earlier =
    "RUlQQwIAAADSDzAlAAAAAEJ6ApV5IAAAQnoClXkf8AAAAAABAAAAAAAAAAEAAAAAAAAAEQEjRWeJq83vYwAACQAAIQA=";
  const earlierWithoutShards =
    "RUlQQwIAAAASgzUsAAAAAEJ6ApV5IAAAQnoClXkgAAAAAAAAAAAAAAAAAAEAAAAAYwAACQAAIQA=";

  it("opens in the form of the previous build, whose kinds are as old as their part", () => {
    const current = openOrFail(base64.decode(earlier));
    expect(listShards(current)).toEqual([SHARDS[3]]);
    expect(findThreatFlags(current.threats, addressOf("99.0.0.9"))).not.toBe(0);
    for (const kind of datedKinds) {
      expect(readListTime(current, kind)).toBe(isFast(kind) ? NOW - 1 : NOW);
    }
  });

  it("has no kind of the shards in the form of the previous build, if it has no shard", () => {
    const current = openOrFail(base64.decode(earlierWithoutShards));
    for (const kind of datedKinds) expect(readListTime(current, kind)).toBe(isFast(kind) ? NOW : 0);
  });

  it("may start anywhere in a larger buffer", () => {
    const larger = new Uint8Array(BYTES.length + 10);
    larger.set(BYTES, 3);
    const current = openOrFail(larger.subarray(3, 3 + BYTES.length));
    expect(listShards(current)).toEqual(listShards(openOrFail(BYTES)));
    expect(findThreatFlags(current.threats, addressOf("11.0.0.1"))).not.toBe(0);
  });

  it("is refused when it is truncated at any length, or longer", () => {
    for (let length = 0; length < BYTES.length; length += 1) {
      expect(openCurrent(BYTES.subarray(0, length))).toBeUndefined();
    }
    const longer = new Uint8Array(BYTES.length + 12);
    longer.set(BYTES);
    expect(openCurrent(longer)).toBeUndefined();
  });

  it("is refused when any single bit is flipped", () => {
    for (let bit = 0; bit < BYTES.length * 8; bit += 1) {
      const damaged = BYTES.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(openCurrent(damaged)).toBeUndefined();
    }
  });

  it("is refused without an exception when it is random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
        expect(openCurrent(random)).toBeUndefined();
      }),
    );
  });
});
