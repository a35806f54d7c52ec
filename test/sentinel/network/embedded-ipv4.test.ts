import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contains, parseNetwork } from "../../../src/sentinel/network/address.ts";
import {
  containsAnySpelling,
  decodeEmbeddedNetwork,
} from "../../../src/sentinel/network/embedded-ipv4.ts";
import { parseFeedLine } from "../../../src/sentinel/network/feed.ts";
import { parseForwardedAddress } from "../../../src/sentinel/network/forwarded-address.ts";
import { embeddedAddress, embeddingNames, embedIpv4 } from "./embedded.ts";
import { networkOf } from "./support.ts";

function read(text: string) {
  const address = parseForwardedAddress(text);
  if (address === undefined) throw new Error(`Not an address: ${text}`);
  return address;
}

describe("An embedded IPv4 address", () => {
  it.each(embeddingNames)("is read from %s", (name) => {
    const address = read(embedIpv4(name, "198.20.4.7"));
    expect(address).toMatchObject({ family: 4, text: "198.20.4.7", range: "unicast" });
    expect(read(embedIpv4(name, "10.0.0.1")).range).toBe("private");
  });

  it("is the same address in every spelling", () => {
    fc.assert(
      fc.property(embeddedAddress, ({ ipv4, spelling }) => {
        const { embeddedIn, ...address } = read(spelling);
        expect(address).toEqual(read(ipv4));
        expect(embeddedIn?.family ?? 6).toBe(6);
        expect(read(`[${spelling.toUpperCase()}]:443`)).toEqual(read(spelling));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    "::",
    "::1",
    "::5",
    "2001:db8::1",
    "2001:1::1",
    "2003::1",
    "64:ff9c::1.2.3.4",
    "fe80::1",
  ])("is not read from %s", (text) => {
    expect(read(text)).toMatchObject({ family: 6 });
  });

  it.each([
    ["2002:c614:407::/48", "198.20.4.7/32"],
    ["2002:c614:400::/40", "198.20.4.0/24"],
    ["2002:c614:407:1::/64", "198.20.4.7/32"],
    ["64:ff9b::198.20.4.0/120", "198.20.4.0/24"],
    ["64:ff9b:1:5::198.20.4.7", "198.20.4.7/32"],
    ["2001:0:1:2:3:4:39eb:fbf8", "198.20.4.7/32"],
    ["2001:0:1:2:3:4:39eb:fbf8/120", "198.20.4.0/24"],
    // These are networks of tunnels, not of IPv4 addresses.
    ["2002::/16", "2002::/16"],
    ["2002::/20", "2002::/20"],
    ["2001::/32", "2001::/32"],
    ["2001:0:1:2::/64", "2001:0:1:2::/64"],
    ["64:ff9b::/96", "64:ff9b::/96"],
    ["::/0", "::/0"],
    ["::1", "::1/128"],
    ["2001:db8::/48", "2001:db8::/48"],
    ["198.20.4.0/24", "198.20.4.0/24"],
  ])("has a network too: %s is %s", (text, expected) => {
    expect(decodeEmbeddedNetwork(networkOf(text)).text).toBe(expected);
  });

  it("is in every network of its spellings, which a deny list may name in either form", () => {
    const length = fc.integer({ min: 1, max: 128 });
    fc.assert(
      fc.property(embeddedAddress, length, ({ ipv4, spelling }, bits) => {
        const named = parseNetwork(`${spelling}/${bits}`);
        if (named === undefined) return;
        const network = decodeEmbeddedNetwork(named);
        expect(containsAnySpelling(network, read(spelling))).toBe(true);
        if (network.family === 4) expect(contains(network, read(ipv4))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("never scores lower than the address: it is on the same allow lists, and on no fewer deny lists", () => {
    const entry = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
      fc.constantFrom(["2002::", 16] as const, ["::", 0] as const, ["64:ff9b::", 96] as const),
    );
    fc.assert(
      fc.property(embeddedAddress, entry, fc.boolean(), ({ ipv4, spelling }, [text, bits], own) => {
        const named = parseNetwork(`${own ? ipv4 : text}/${own ? Math.min(32, bits) : bits}`);
        if (named === undefined) return;
        const network = decodeEmbeddedNetwork(named);
        const [plain, embedded] = [read(ipv4), read(spelling)];
        expect(contains(network, embedded)).toBe(contains(network, plain));
        if (containsAnySpelling(network, plain)) {
          expect(containsAnySpelling(network, embedded)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("is the address that a line of a feed names", () => {
    expect(parseFeedLine("2002:c614:407::/48 3")).toEqual(parseFeedLine("198.20.4.7 3"));
  });
});
