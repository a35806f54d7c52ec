import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  contains,
  formatAddress,
  isReserved,
  parseAddress,
  parseNetwork,
} from "../../../src/sentinel/network/address.ts";
import { decodeEmbeddedIpv4 } from "../../../src/sentinel/network/embedded-ipv4.ts";
import { parseForwardedAddress } from "../../../src/sentinel/network/forwarded-address.ts";
import { addressOf, networkOf } from "./support.ts";

describe("The parser of addresses", () => {
  it.each([
    ["1.1.1.1", "1.1.1.1", 4],
    ["0.0.0.0", "0.0.0.0", 4],
    ["255.255.255.255", "255.255.255.255", 4],
    ["::ffff:1.2.3.4", "1.2.3.4", 4],
    ["::FFFF:102:304", "1.2.3.4", 4],
    ["0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4", 4],
    ["2001:DB8::A", "2001:db8::a", 6],
    ["2001:0db8:0000:0000:0000:0000:0000:000a", "2001:db8::a", 6],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1", 6],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 6],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221", 6],
    ["::1.2.3.4", "::102:304", 6],
    ["::", "::", 6],
    ["::1", "::1", 6],
  ])("reads %s as %s", (text, canonical, family) => {
    expect(parseAddress(text)).toMatchObject({ text: canonical, family });
  });

  it.each([
    "",
    " ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "1.2.3",
    "1.2.3.4.5",
    "16909060",
    "0x01020304",
    "1.2.3.0x4",
    "01.2.3.4",
    "1.2.3.010",
    "1.2.3.256",
    "1.2.3.-4",
    "1.2.3.4/32",
    "1.2.3.4:80",
    "[::1]",
    "fe80::1%eth0",
    "::ffff:1.2.3.4%1",
    "::ffff:01.2.3.4",
    "::ffff:0x7f.0.0.1",
    "::ffff:1.2.3",
    "1::2::3",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8:",
    "12345::",
    "g::1",
    "1.2.3.4::",
    "localhost",
    "١.٢.٣.٤",
    `${"0".repeat(60)}::1`,
  ])("refuses %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it("formats every IPv6 address as a URL does", () => {
    // Mostly zeros, so that runs of zero groups are frequent.
    const group = fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const text = groups.map((value) => value.toString(16)).join(":");
        const parsed = parseAddress(text);
        if (parsed?.family === 4) return text.startsWith("0:0:0:0:0:ffff:");
        return `[${parsed?.text}]` === new URL(`http://[${text}]/`).hostname;
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads back the number of a formatted address", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), (value) => {
        expect(parseAddress(formatAddress(4, value))).toMatchObject({ family: 4, value });
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 64n, max: 2n ** 128n - 1n }), (value) => {
        expect(parseAddress(formatAddress(6, value))).toMatchObject({ family: 6, value });
      }),
    );
  });

  it("never throws, for any text", () => {
    const near = fc.string({ unit: fc.constantFrom(..."0123456789abcdefx.:/% "), maxLength: 50 });
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        parseAddress(text);
        parseNetwork(text);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("The parser of forwarded addresses", () => {
  it.each([
    ["1.1.1.1", "1.1.1.1"],
    ["1.1.1.1:0", "1.1.1.1"],
    ["1.1.1.1:65535", "1.1.1.1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["[2001:DB8::1]", "2001:db8::1"],
    ["[2001:db8::1]:443", "2001:db8::1"],
    ["[::ffff:192.0.2.1]:443", "192.0.2.1"],
    ["2001:db8::1:443", "2001:db8::1:443"],
    ["fe80::1%eth0", "fe80::1"],
    ["fe80::1%25eth0", "fe80::1"],
    ["fe80::1%br-lan.100", "fe80::1"],
    ["[fe80::1%12]:443", "fe80::1"],
    ["::ffff:192.0.2.1%1", "192.0.2.1"],
  ])("reads %s as %s", (text, canonical) => {
    expect(parseForwardedAddress(text)?.text).toBe(canonical);
  });

  it.each([
    "",
    ":80",
    "1.1.1.1:",
    "1.1.1.1:65536",
    "1.1.1.1:080000",
    "1.1.1.1:-1",
    "1.1.1.1:80:80",
    "1.1.1.1:_hidden",
    "1.1.1.1%eth0",
    "1.1.1.1/32",
    "01.1.1.1:80",
    "[1.1.1.1]:80",
    "[]:80",
    "[]",
    "[::1",
    "::1]",
    "[::1]80",
    "[::1]:",
    "[[::1]]:80",
    "fe80::1%",
    "fe80::1%eth0%eth1",
    "fe80::1%eth 0",
    "fe80::1%eth0\n",
    `fe80::1%${"e".repeat(65)}`,
    "1.1.1.1, 2.2.2.2",
    " 1.1.1.1",
    "unknown",
    "localhost:80",
  ])("refuses %j", (text) => {
    expect(parseForwardedAddress(text)).toBeUndefined();
  });

  it("reads every address as the plain parser does, also with a port, and never throws", () => {
    const near = fc.string({ unit: fc.constantFrom(..."012fe.:[]% "), maxLength: 30 });
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near), (text) => {
        const parsed = parseAddress(text);
        const forwarded = parseForwardedAddress(text);
        if (parsed === undefined) return;
        const plain = decodeEmbeddedIpv4(parsed);
        expect(forwarded).toEqual(plain);
        const withPort = text.includes(":") ? `[${text}]:80` : `${text}:80`;
        expect(parseForwardedAddress(withPort)).toEqual(plain);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("The check for reserved addresses", () => {
  it.each([
    ["10.1.2.3", "private"],
    ["172.31.255.255", "private"],
    ["192.168.0.1", "private"],
    ["127.0.0.1", "loopback"],
    ["169.254.1.1", "linkLocal"],
    ["100.64.0.1", "carrierGradeNat"],
    ["0.1.2.3", "unspecified"],
    ["192.0.2.1", "reserved"],
    ["198.51.100.1", "reserved"],
    ["203.0.113.1", "reserved"],
    ["198.18.0.1", "reserved"],
    ["224.0.0.1", "multicast"],
    ["250.0.0.1", "reserved"],
    ["255.255.255.255", "broadcast"],
    ["::ffff:10.0.0.1", "private"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::1.2.3.4", "reserved"],
    ["fe80::1", "linkLocal"],
    ["fd00::1", "uniqueLocal"],
    ["ff02::1", "multicast"],
    ["2001:db8::1", "reserved"],
    ["3fff::1", "reserved"],
    ["2001:2::1", "benchmarking"],
    ["100::1", "discard"],
    ["4000::1", "reserved"],
  ])("holds for %s (%s)", (text, range) => {
    expect(addressOf(text).range).toBe(range);
    expect(isReserved(addressOf(text))).toBe(true);
  });

  it.each(["1.1.1.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "2a00::1"])(
    "does not hold for %s",
    (text) => {
      expect(isReserved(addressOf(text))).toBe(false);
    },
  );
});

describe("The parser of networks", () => {
  it.each([
    ["1.2.3.4", "1.2.3.4/32"],
    ["1.2.3.4/24", "1.2.3.0/24"],
    ["1.2.3.4/0", "0.0.0.0/0"],
    ["2001:DB8::1", "2001:db8::1/128"],
    ["2001:db8:ffff::1/33", "2001:db8:8000::/33"],
    ["::/0", "::/0"],
    ["::ffff:1.2.3.4/120", "1.2.3.0/24"],
    ["::ffff:0:0/96", "0.0.0.0/0"],
  ])("reads %s as %s", (text, canonical) => {
    expect(parseNetwork(text)?.text).toBe(canonical);
  });

  it.each([
    "1.2.3.4/33",
    "1.2.3.4/",
    "1.2.3.4/08",
    "1.2.3.4/+8",
    "1.2.3.4/ 8",
    "1.2.3.4/8/8",
    "1.2.3.4/255.0.0.0",
    "::1/129",
    "::ffff:1.2.3.4/95",
    "1.2.3/24",
    "/24",
  ])("refuses %j", (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });

  it("returns a network that contains its first and last address, but not their outer neighbours", () => {
    const parsed = networkOf("198.20.4.0/22");
    expect(contains(parsed, addressOf("198.20.4.0"))).toBe(true);
    expect(contains(parsed, addressOf("198.20.7.255"))).toBe(true);
    expect(contains(parsed, addressOf("198.20.3.255"))).toBe(false);
    expect(contains(parsed, addressOf("198.20.8.0"))).toBe(false);
  });

  it("returns a network that contains no address of the other family", () => {
    expect(contains(networkOf("::/0"), addressOf("1.2.3.4"))).toBe(false);
    expect(contains(networkOf("0.0.0.0/0"), addressOf("::1"))).toBe(false);
  });
});
