import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Address, Family } from "../../../src/sentinel/network/address.ts";
import {
  decodeFacts,
  encodeCountry,
  encodeFlags,
} from "../../../src/sentinel/network/network-facts.ts";
import {
  decodeShard,
  encodeShard,
  isShardKey,
  lookUpInShard,
  positionBits,
  type Shard,
  shardBits,
  shardDigestOf,
  shardKeyOf,
  shardOf,
  shardStartOf,
} from "../../../src/sentinel/network/shard.ts";
import { addressOf } from "./support.ts";

/** 1.16.0.0/12: nothing, then a VPN in AS64500 in DE, then nothing again. */
const SAMPLE: Shard = {
  family: 4,
  number: 0x011,
  records: [
    { start: addressOf("1.16.0.0").value, asn: 0, country: 0, flags: 0 },
    {
      start: addressOf("1.16.4.0").value,
      asn: 64_500,
      country: encodeCountry("DE"),
      flags: encodeFlags(["vpn"], 3),
    },
    { start: addressOf("1.16.5.0").value, asn: 0, country: 0, flags: 0 },
  ],
};
const INSIDE = addressOf("1.16.4.200");

const shards = fc
  .record({
    family: fc.constantFrom<Family>(4, 6),
    seed: fc.nat(),
    facts: fc.array(
      fc.record({
        offset: fc.bigInt({ min: 1n, max: 2n ** 44n - 1n }),
        asn: fc.integer({ min: 0, max: 0xffff_ffff }),
        country: fc.integer({ min: 0, max: 0xffff }),
        flags: fc.integer({ min: 0, max: 0xffff }),
      }),
      { minLength: 1, maxLength: 40 },
    ),
  })
  .map(({ family, seed, facts }): Shard => {
    const id = { family, number: seed % (1 << shardBits[family]) };
    const width = 1n << BigInt(positionBits[family] - shardBits[family]);
    const offsets = new Set([0n, ...facts.map(({ offset }) => offset % width)]);
    const ascending = [...offsets].sort((a, b) => (a < b ? -1 : 1));
    const records = ascending.map((offset, index) => {
      const { asn = 0, country = 0, flags = 0 } = facts[index] ?? {};
      return { start: shardStartOf(id) + offset, asn, country, flags };
    });
    return { ...id, records };
  });

describe("The shard key", () => {
  it.each([
    ["0.0.0.0", "net/v2/4/000/0011223344556677"],
    ["1.15.255.255", "net/v2/4/010/0011223344556677"],
    ["1.16.0.0", "net/v2/4/011/0011223344556677"],
    ["255.255.255.255", "net/v2/4/fff/0011223344556677"],
    ["::1", "net/v2/6/00000/0011223344556677"],
    ["2001:db8::1", "net/v2/6/20010/0011223344556677"],
    ["2001:1000::1", "net/v2/6/20011/0011223344556677"],
    ["ffff:ffff::", "net/v2/6/fffff/0011223344556677"],
  ])("of %s is %s", (text, key) => {
    const written = shardKeyOf(shardOf(addressOf(text)), "0011223344556677");
    expect(written).toBe(key);
    expect(isShardKey(written)).toBe(true);
  });
});

describe("The check for shard keys", () => {
  it.each([
    "net/v2/current",
    "net/v2/feeds",
    "net/v2/feed/x/0011",
    "net/v2/retired",
    "net/v1/4/000",
  ])("does not hold for %s", (key) => {
    expect(isShardKey(key)).toBe(false);
  });
});

describe("The digest of a shard", () => {
  it("is equal exactly for equal records", () => {
    const bytes = encodeShard(SAMPLE);
    expect(shardDigestOf(encodeShard(SAMPLE))).toBe(shardDigestOf(bytes));
    expect(shardDigestOf(bytes)).toMatch(/^[0-9a-f]{16}$/);
    const [first, ...rest] = SAMPLE.records;
    if (first === undefined) throw new Error("no record");
    for (const changed of [{ asn: 1 }, { country: 1 }, { flags: 1 }]) {
      const records = [{ ...first, ...changed }, ...rest];
      expect(shardDigestOf(encodeShard({ ...SAMPLE, records }))).not.toBe(shardDigestOf(bytes));
    }
  });
});

describe("A shard", () => {
  it("decodes to the shard that was encoded", () => {
    fc.assert(
      fc.property(shards, (shard) => {
        expect(decodeShard(encodeShard(shard), shard)).toEqual({ status: "ok", shard });
      }),
    );
  });

  it("answers with the facts of the record that covers the address", () => {
    const facts = { kinds: ["vpn", "threat"], threatGrade: 3, asn: 64_500, country: "DE" };
    const bytes = encodeShard(SAMPLE);
    for (const text of ["1.16.4.0", "1.16.4.200", "1.16.4.255"]) {
      expect(lookUpInShard(bytes, addressOf(text))).toEqual({ status: "found", facts });
    }
    for (const text of ["1.16.0.0", "1.16.3.255", "1.16.5.0", "1.31.255.255"]) {
      expect(lookUpInShard(bytes, addressOf(text))).toEqual({ status: "nothing" });
    }
  });

  it("answers as a linear scan does, at every record and its neighbours", () => {
    fc.assert(
      fc.property(shards, (shard) => {
        const bytes = encodeShard(shard);
        const { family } = shard;
        const end = shardStartOf({ ...shard, number: shard.number + 1 });
        const borders = [...shard.records.map(({ start }) => start), end];
        const positions = borders.flatMap((border) => [border - 1n, border, border + 1n]);
        for (const position of positions) {
          if (position < shardStartOf(shard) || position >= end) continue;
          const value = family === 4 ? position : (position << 64n) | 7n;
          const target: Address = { family, text: "", value, range: "unicast" };
          const record = shard.records.findLast(({ start }) => start <= position);
          const facts = decodeFacts(record?.asn ?? 0, record?.country ?? 0, record?.flags ?? 0);
          expect(lookUpInShard(bytes, target)).toEqual(
            facts === undefined ? { status: "nothing" } : { status: "found", facts },
          );
        }
      }),
    );
  });

  it("may start anywhere in a larger buffer", () => {
    const bytes = encodeShard(SAMPLE);
    const larger = new Uint8Array(bytes.length + 10);
    larger.set(bytes, 3);
    expect(lookUpInShard(larger.subarray(3, 3 + bytes.length), INSIDE).status).toBe("found");
  });
});

describe("A damaged shard", () => {
  const bytes = encodeShard(SAMPLE);

  it("is corrupt when it is truncated at any length", () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(lookUpInShard(bytes.subarray(0, length), INSIDE).status).toBe("corrupt");
    }
  });

  it("is corrupt when anything is appended", () => {
    const longer = new Uint8Array(bytes.length + 12);
    longer.set(bytes);
    expect(lookUpInShard(longer, INSIDE).status).toBe("corrupt");
  });

  it("is corrupt when any single bit is flipped", () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(lookUpInShard(damaged, INSIDE).status).toBe("corrupt");
      expect(decodeShard(damaged, SAMPLE).status).toBe("corrupt");
    }
  });

  it("is corrupt when it is the shard of other addresses or of the other family", () => {
    for (const text of ["1.15.255.255", "1.32.0.0", "2001:db8::1", "0:1100::1"]) {
      expect(lookUpInShard(bytes, addressOf(text))).toEqual({
        status: "corrupt",
        reason: "another shard",
      });
    }
  });

  it("is corrupt without a record, or when the first record does not start the shard", () => {
    const empty = encodeShard({ ...SAMPLE, records: [] });
    const late = encodeShard({ ...SAMPLE, records: SAMPLE.records.slice(1) });
    expect(lookUpInShard(empty, INSIDE).status).toBe("corrupt");
    expect(lookUpInShard(late, INSIDE).status).toBe("corrupt");
  });

  it("is corrupt without an exception when it is random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(lookUpInShard(random, INSIDE).status).toBe("corrupt");
      }),
    );
  });
});

describe("Facts", () => {
  it("saturate the threat grade at 15", () => {
    expect(decodeFacts(0, 0, encodeFlags([], 400))).toMatchObject({ threatGrade: 15 });
  });

  it("include the threat kind exactly when they have a grade", () => {
    expect(decodeFacts(0, 0, encodeFlags(["tor", "threat"], 0))?.kinds).toEqual(["tor"]);
    expect(decodeFacts(0, 0, encodeFlags(["tor"], 1))?.kinds).toEqual(["tor", "threat"]);
  });

  it("are undefined for an empty record", () => {
    expect(decodeFacts(0, 0, 0)).toBeUndefined();
  });

  it("leave an unknown country and network undefined", () => {
    expect(encodeCountry("de")).toBe(0);
    expect(encodeCountry("DEU")).toBe(0);
    expect(decodeFacts(0, 0, encodeFlags(["vpn"], 0))).toEqual({
      kinds: ["vpn"],
      threatGrade: 0,
      asn: undefined,
      country: undefined,
    });
  });
});
