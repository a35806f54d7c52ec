import { describe, expect, it } from "vitest";
import {
  createTableParser,
  parseTableLine,
  type TableKind,
} from "../../../src/sentinel/network/geography.ts";
import { encodeCountry } from "../../../src/sentinel/network/network-facts.ts";
import { addressOf } from "./support.ts";

const AU = encodeCountry("AU");

function v4EntryOf(first: string, last: string, value: number) {
  const range = { first: addressOf(first).value, last: addressOf(last).value, value };
  return { type: "entry", family: 4, range };
}

describe("A line of a geography table", () => {
  it.each<[TableKind, string, ReturnType<typeof v4EntryOf>]>([
    ["country", "1.0.0.0,1.0.0.255,AU", v4EntryOf("1.0.0.0", "1.0.0.255", AU)],
    ["country", '"1.0.0.0","1.0.0.255","au"\r', v4EntryOf("1.0.0.0", "1.0.0.255", AU)],
    ["country", "1.0.0.0/24,AU,AU-NSW,Sydney,", v4EntryOf("1.0.0.0", "1.0.0.255", AU)],
    ["country", " ::ffff:1.0.0.0 , 1.0.0.9 , AU ", v4EntryOf("1.0.0.0", "1.0.0.9", AU)],
    ["asn", "1.0.0.0,1.0.0.255,13335", v4EntryOf("1.0.0.0", "1.0.0.255", 13_335)],
    [
      "asn",
      '1.0.0.0,1.0.0.255,13335,"Cloudflare, Inc."',
      v4EntryOf("1.0.0.0", "1.0.0.255", 13_335),
    ],
    ["asn", "1.0.0.0,1.0.0.255,AS13335,# 1; ,", v4EntryOf("1.0.0.0", "1.0.0.255", 13_335)],
    ["asn", "1.0.0.0/24,4294967295", v4EntryOf("1.0.0.0", "1.0.0.255", 0xffff_ffff)],
    ["asn", "0.0.0.0,0.255.255.255,0,Not routed", v4EntryOf("0.0.0.0", "0.255.255.255", 0)],
  ])("of kind %s, %j, is read", (kind, line, expected) => {
    expect(parseTableLine(kind, line)).toEqual(expected);
  });

  it("with IPv6 addresses covers every /64 that it touches", () => {
    const line = "2001:db8:0:1::5,2001:db8:0:3:0:0:0:1,DE";
    const range = { first: 0x2001_0db8_0000_0001n, last: 0x2001_0db8_0000_0003n };
    expect(parseTableLine("country", line)).toEqual({
      type: "entry",
      family: 6,
      range: { ...range, value: encodeCountry("DE") },
    });
  });

  it.each(["", "  ", "\r", "# start,end,country"])("%j is blank", (line) => {
    expect(parseTableLine("country", line)).toEqual({ type: "blank" });
  });

  it.each<[TableKind, string, string]>([
    ["country", "start,end,country", "no country of two letters"],
    ["country", "1.0.0.0,1.0.0.255", "no country of two letters"],
    ["country", "1.0.0.0,1.0.0.255,-", "no country of two letters"],
    ["country", "1.0.0.0,1.0.0.255,AUS", "no country of two letters"],
    ["country", "1.0.0.0,1.0.0.255,13335", "no country of two letters"],
    ["country", "1.0.0.0,1.0.0.255,ÄÖ", "no country of two letters"],
    ["country", "1.0.0.9,1.0.0.1,AU", "range ends before it starts"],
    ["country", "1.0.0.0,2001:db8::,AU", "range mixes IPv4 and IPv6"],
    ["country", "16777216,16777471,AU", "not a range of two IP addresses"],
    ["country", "01.0.0.0,1.0.0.255,AU", "not a range of two IP addresses"],
    ["country", "1.0.0.0/33,AU", "not a CIDR network"],
    ["country", "0.0.0.0,255.255.255.255,AU", "wider than an IPv4 /4"],
    ["country", "::/0,AU", "wider than an IPv6 /12"],
    ["country", "x".repeat(5_000), "line too long"],
    ["asn", "1.0.0.0,1.0.0.255,AU", "no number of a network"],
    ["asn", "1.0.0.0,1.0.0.255,-1", "no number of a network"],
    ["asn", "1.0.0.0,1.0.0.255,1e3", "no number of a network"],
    ["asn", "1.0.0.0,1.0.0.255,4294967296", "no number of a network"],
    ["asn", "1.0.0.0,1.0.0.255,99999999999999999999", "no number of a network"],
  ])("of kind %s, %j, is refused: %s", (kind, line, reason) => {
    expect(parseTableLine(kind, line)).toEqual({ type: "bad", reason });
  });

  it("may be as wide as the largest block of a registry", () => {
    expect(parseTableLine("country", "0.0.0.0/4,US").type).toBe("entry");
    expect(parseTableLine("country", "2600::/12,US").type).toBe("entry");
  });
});

describe("A geography table", () => {
  const text = "\uFEFF1.0.0.0,1.0.0.255,AU\r\nbad\n2001:db8::/32,DE\n\n1.0.1.0,1.0.1.255,CN";

  function parse(...pieces: string[]) {
    const parser = createTableParser("country");
    for (const piece of pieces) parser.push(piece);
    return parser.finish();
  }

  it("is read by family, with the numbers of its bad lines", () => {
    const { ranges, rows, skipped, badLines } = parse(text);
    expect({ rows, skipped }).toEqual({ rows: 3, skipped: 1 });
    expect(badLines).toEqual([{ line: 2, reason: "no country of two letters" }]);
    expect([ranges[4].length, ranges[6].length]).toEqual([2, 1]);
  });

  it("may end its lines with CR, and may be joined from files with byte order marks", () => {
    const { rows, skipped, hasMarkup } = parse(
      "\uFEFF1.0.0.0/24,AU\r\uFEFF# more\r\uFEFF1.0.1.0/24,CN\r",
    );
    expect({ rows, skipped, hasMarkup }).toEqual({ rows: 2, skipped: 0, hasMarkup: false });
  });

  it("is read the same in any pieces", () => {
    const whole = parse(text);
    for (let at = 0; at <= text.length; at += 1) {
      expect(parse(text.slice(0, at), text.slice(at))).toEqual(whole);
    }
  });
});
