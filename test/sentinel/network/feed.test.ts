import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFeedParser, parseFeedLine } from "../../../src/sentinel/network/feed.ts";
import { maxBadLines } from "../../../src/sentinel/network/lines.ts";
import { networkOf } from "./support.ts";

function parse(...pieces: string[]) {
  const parser = createFeedParser();
  for (const piece of pieces) parser.push(piece);
  return parser.finish();
}

describe("A feed line", () => {
  it.each([
    ["1.2.3.4", "1.2.3.4/32", 1],
    ["  1.2.3.0/24\t", "1.2.3.0/24", 1],
    ["1.2.3.77/24", "1.2.3.0/24", 1],
    ["1.2.3.4\t7", "1.2.3.4/32", 7],
    ["1.2.3.0/24 12", "1.2.3.0/24", 12],
    ["1.2.3.4 # seen yesterday", "1.2.3.4/32", 1],
    ["1.2.3.0/24 ; SBL1", "1.2.3.0/24", 1],
    ["2001:db8::/32", "2001:db8::/32", 1],
    ["::ffff:1.2.3.4", "1.2.3.4/32", 1],
    ["1.2.3.0,1.2.3.255,64500,An organisation", "1.2.3.0/24", 1],
    ['"1.2.3.0","1.2.3.255","AU"', "1.2.3.0/24", 1],
    ["2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,DE", "2001:db8::/32", 1],
    ["1.2.3.0/27,GB,GB-EN,London,", "1.2.3.0/27", 1],
    ['{"cidr":"1.2.3.0/24","sblid":"SBL1","rir":"apnic"}', "1.2.3.0/24", 1],
    [
      '  { "new": [{"cidr": 1}], "cidr": "2001:db8::/32", "note": "a; b # c" }\r',
      "2001:db8::/32",
      1,
    ],
    ['{"cidr":"1.2.3.4"}', "1.2.3.4/32", 1],
  ])("%j is read as %s, listed %i times", (line, text, count) => {
    const { family, first, last } = networkOf(text);
    expect(parseFeedLine(line)).toEqual({ type: "entry", entry: { family, first, last, count } });
  });

  it.each([
    "",
    "   ",
    "# comment",
    "; comment",
    "\t# 1.2.3.4",
    "\r",
    '{"type":"metadata","timestamp":1727634153,"size":82682,"records":1354}',
  ])("%j is blank", (line) => {
    expect(parseFeedLine(line)).toEqual({ type: "blank" });
  });

  it.each([
    ["AS9009 # M247", "not an IP address or CIDR network"],
    ["1.2.3", "not an IP address or CIDR network"],
    ["010.2.3.4", "not an IP address or CIDR network"],
    ["1.2.3.4\t0", "count is not a whole number above 0"],
    ["1.2.3.4\t-1", "count is not a whole number above 0"],
    ["1.2.3.4\tmany", "count is not a whole number above 0"],
    ["1.2.3.4 2 3", "more than an address and a count"],
    ["start,end,country", "not a range of two IP addresses"],
    ["1.2.3.9,1.2.3.4", "range ends before it starts"],
    ["1.2.3.4,2001:db8::", "range mixes IPv4 and IPv6"],
    ["0.0.0.0/0", "wider than an IPv4 /8"],
    ["224.0.0.0/7", "wider than an IPv4 /8"],
    ["::/0", "wider than an IPv6 /16"],
    ["2000::/15", "wider than an IPv6 /16"],
    [`1.2.3.4 # ${"x".repeat(5000)}`, "line too long"],
    [`{"cidr":"1.2.3.4","note":"${"x".repeat(5000)}"}`, "line too long"],
    ['{"cidr":"1.2.3.0/2', "not a JSON object"],
    ['{"cidr":"1.2.3.0/24"},', "not a JSON object"],
    ['{"cidr":"1.2.3.0/24"} # seen', "not a JSON object"],
    ['{"asn":64500,"rir":"apnic"}', 'no field "cidr"'],
    ['{"__proto__":{"cidr":"1.2.3.0/24"}}', 'no field "cidr"'],
    ['{"cidr":16909060}', "not an IP address or CIDR network"],
    ['{"cidr":["1.2.3.4"]}', "not an IP address or CIDR network"],
    ['{"cidr":"1.2.3.4\\t7"}', "not an IP address or CIDR network"],
    ['{"cidr":"::/0"}', "wider than an IPv6 /16"],
  ])("%j is refused: %s", (line, reason) => {
    expect(parseFeedLine(line)).toEqual({ type: "bad", reason });
  });

  it("may be as wide as an IPv4 /8 or an IPv6 /16", () => {
    expect(parseFeedLine("11.0.0.0/8").type).toBe("entry");
    expect(parseFeedLine("2a02::/16").type).toBe("entry");
  });
});

/** The text of an entry in each format that has one address and no count. */
const spellings: readonly ((address: string) => string)[] = [
  (address) => address,
  (address) => `${address}/32 ; SBL1`,
  (address) => `${address},${address},AU`,
  (address) => `{"cidr":"${address}/32","sblid":"SBL1"}`,
];
const noise = ["", "# nothing", "; nothing", '{"type":"metadata","records":1}'];

describe("A feed", () => {
  it("is read the same with any line ends, byte order marks and blank lines, in any pieces", () => {
    const line = fc.record({
      byte: fc.nat(255),
      spell: fc.constantFrom(...spellings),
      end: fc.constantFrom("\n", "\r\n", "\r"),
      mark: fc.constantFrom("", "\uFEFF"),
      before: fc.constantFrom("", ...noise.map((text) => `${text}\r`)),
    });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), fc.nat(9), (lines, size) => {
        const text = lines
          .map(
            ({ byte, spell, end, mark, before }) => before + mark + spell(`11.0.0.${byte}`) + end,
          )
          .join("");
        const { rows, skipped, ranges } = parse(
          ...(text.match(new RegExp(`[^]{1,${size + 1}}`, "g")) ?? []),
        );
        expect({ rows, skipped }).toEqual({ rows: lines.length, skipped: 0 });
        expect([...ranges.byFamily[4].firstLow.subarray(0, rows)]).toEqual(
          lines.map(({ byte }) => 11 * 2 ** 24 + byte),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("has the same line numbers with CR, LF and CRLF, also where a piece ends between CR and LF", () => {
    const lines = ["11.0.0.1", "", "bad", "11.0.0.2", "worse"];
    for (const end of ["\r", "\n", "\r\n"]) {
      const { badLines, rows } = parse(...lines.join(end));
      expect(rows).toBe(2);
      expect(badLines.map(({ line }) => line)).toEqual([3, 5]);
    }
  });

  it("may end each line with CR, after a line that is too long to keep", () => {
    const { rows, badLines } = parse("9".repeat(10_000), "9\r", "11.0.0.1\r");
    expect(rows).toBe(1);
    expect(badLines).toEqual([{ line: 1, reason: "line too long" }]);
  });

  it("has markup if it is a page in one line", () => {
    expect(parse(`<html>${"x".repeat(9_000)}`, "<p>".repeat(3_000), "\n").hasMarkup).toBe(true);
  });

  it("of JSON may have its metadata line anywhere or nowhere, and lose its last line", () => {
    const entries = ['{"cidr":"11.0.0.0/24"}', '{"cidr":"11.0.1.0/24"}'];
    const metadata = '{"type":"metadata","records":2,"copyright":"(c) a; b"}';
    for (const at of [0, 1, 2, 3]) {
      const { rows, skipped } = parse(
        entries.toSpliced(at, 0, ...(at < 3 ? [metadata] : [])).join("\n"),
      );
      expect({ rows, skipped }).toEqual({ rows: 2, skipped: 0 });
    }
    const cut = [...entries, metadata].join("\r\n").slice(0, -20);
    expect(parse(cut)).toMatchObject({ rows: 2, skipped: 1 });
  });

  it.each([
    ["<!DOCTYPE html>\n11.0.0.1\n", true],
    ["\uFEFF\r\n  <pre>\n11.0.0.1\n", true],
    ["11.0.0.1\r</html>\r", true],
    ['<?xml version="1.0"?>', true],
    ["# <html>\n11.0.0.1 ; <b>\n< 5\n<>\n", false],
  ])("has markup if a line begins with a tag: %j", (text, expected) => {
    expect(parse(...text).hasMarkup).toBe(expected);
  });

  it("may contain comments, blank lines, CRLF and a byte order mark, and may lack a final line break", () => {
    const text = "\uFEFF1.2.3.4\r\n\r\n# nothing\r\nbad\r\n2001:db8::/32\r\n5.6.7.8\t3";
    const { rows, skipped, badLines, ranges } = parse(text);
    expect({ rows, skipped }).toEqual({ rows: 3, skipped: 1 });
    expect(badLines).toEqual([{ line: 4, reason: "not an IP address or CIDR network" }]);
    expect([ranges.byFamily[4].length, ranges.byFamily[6].length]).toEqual([2, 1]);
  });

  it("is read the same in any pieces", () => {
    const text = "1.2.3.4\r\n5.6.7.8\t3\nnonsense\n9.9.9.9";
    const whole = parse(text);
    for (let at = 0; at <= text.length; at += 1) {
      expect(parse(text.slice(0, at), text.slice(at))).toEqual(whole);
    }
    expect(parse(...text)).toEqual(whole);
  });

  it("keeps the first bad lines with their numbers and counts the rest", () => {
    const { skipped, badLines } = parse("x\n".repeat(maxBadLines + 5));
    expect(skipped).toBe(maxBadLines + 5);
    expect(badLines.map(({ line }) => line)).toEqual(
      Array.from({ length: maxBadLines }, (_, index) => index + 1),
    );
  });

  it("has no rows without a good line", () => {
    expect(parse("AS1 # one\nAS2 # two\n").rows).toBe(0);
    expect(parse("").rows).toBe(0);
  });

  it("may have more entries than the initial size of the columns", () => {
    const lines = Array.from({ length: 3_000 }, (_, index) => `11.0.${index >> 8}.${index & 255}`);
    const { ranges } = parse(lines.join("\n"));
    expect(ranges.byFamily[4].length).toBe(3_000);
    expect(ranges.byFamily[4].firstLow[2_999]).toBe(11 * 2 ** 24 + 2_999);
  });
});
