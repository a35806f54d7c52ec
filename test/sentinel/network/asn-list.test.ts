import { describe, expect, it } from "vitest";
import {
  createAsnListParser,
  findRangesOfNetworks,
  isAsnList,
} from "../../../src/sentinel/network/asn-list.ts";
import { buildShards } from "../../../src/sentinel/network/build.ts";
import { addressOf, findInShards, geographyOf } from "./support.ts";

function parse(text: string) {
  const parser = createAsnListParser();
  parser.push(text);
  return parser.finish();
}

describe("A list of network numbers", () => {
  it("may contain names, comments, tabs and CRLF", () => {
    const { asns, rows, skipped } = parse(
      "\uFEFFAS9009 # M247, GB\r\n# more\nAS55286\t# SERVER-MANIA\nas20448\nAS9009",
    );
    expect([...asns]).toEqual([9009, 55_286, 20_448]);
    expect({ rows, skipped }).toEqual({ rows: 4, skipped: 0 });
  });

  it("may have JSON in each line, as ASN-DROP does, or CR as line ends", () => {
    const json =
      '{"asn":64500,"rir":"arin","asname":"A; B # C"}\r\n{"asn":"AS64501"}\n{"asn":"64502"}\n' +
      '{"type":"metadata","timestamp":1767899078,"records":3}\n';
    expect(parse(json)).toMatchObject({ rows: 3, skipped: 0 });
    expect([...parse(json).asns]).toEqual([64_500, 64_501, 64_502]);
    expect([...parse("AS64500\rAS64501 # two\r\r").asns]).toEqual([64_500, 64_501]);
    const bad = [
      "0",
      "1.5",
      "-1",
      "4294967296",
      '"0x10"',
      '""',
      "null",
      "true",
      "[1]",
      '"AS1 AS2"',
    ];
    expect(parse(bad.map((asn) => `{"asn":${asn}}`).join("\n"))).toMatchObject({
      rows: 0,
      skipped: bad.length,
    });
  });

  it("reports the line of an entry that is not a network number", () => {
    const { badLines, rows } = parse(
      "AS1\n1.2.3.4\nAS0\nAS 5\n12\nAS12345678901\nAS2 AS3\nAS4294967296",
    );
    expect(rows).toBe(1);
    expect(badLines.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  });

  it.each([
    ["AS9009 # M247", true],
    ["\uFEFF# networks\r\n\r\nAS9009\r\n1.2.3.4", true],
    ["1.2.3.4\nAS9009", false],
    ["# AS9009\n1.2.3.4", false],
    ["ASIA\n", false],
    ["# networks\rAS9009\r1.2.3.4\r", true],
    ['{"type":"metadata"}\n{"asn":9009}\n', true],
    ['{"cidr":"1.2.3.0/24"}\n{"asn":9009}\n', false],
    ["", false],
  ])("is distinguished from other lists by its first entry: %j", (text, expected) => {
    expect(isAsnList(text)).toBe(expected);
  });
});

describe("The search for the ranges of networks", () => {
  const { asn } = geographyOf([
    "11.0.0.0/8,64500",
    "11.1.0.0/16,64501",
    "12.0.0.0/24,64501",
    "2a00::/32,64500",
    "2a01::/32,64502",
  ]);

  it("finds the ranges that the shards assign to a network, without narrower ranges of other networks", () => {
    const ranges = findRangesOfNetworks(new Set([64_500]), asn);
    const shards = buildShards([{ kind: "vpn", ranges }], { asn, country: { 4: [], 6: [] } });
    const kindsOf = (text: string) => findInShards(shards, addressOf(text))?.kinds;
    for (const text of ["11.0.0.0", "11.0.255.255", "11.2.0.0", "11.255.255.255", "2a00::1"]) {
      expect(kindsOf(text)).toEqual(["vpn"]);
    }
    for (const text of ["11.1.0.0", "11.1.255.255", "12.0.0.1", "2a01::1"]) {
      expect(kindsOf(text)).toEqual([]);
    }
    expect(kindsOf("10.255.255.255")).toBeUndefined();
  });

  it("finds no range for a network that the table does not contain", () => {
    const { byFamily } = findRangesOfNetworks(new Set([1]), asn);
    expect([byFamily[4].length, byFamily[6].length]).toEqual([0, 0]);
  });
});
