import { describe, expect, it } from "vitest";
import { catalogue, parseConfiguredFeeds } from "../../../src/sentinel/feeds/catalogue.ts";
import { isNetworkKind } from "../../../src/sentinel/network/network-facts.ts";

describe("The catalogue of feeds", () => {
  it("gives every feed a unique name that a configuration can contain", () => {
    const names = catalogue.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  });

  it("has only https addresses, and no address twice", () => {
    const addresses = catalogue.map(({ address }) => address);
    for (const address of addresses) expect(new URL(address).protocol).toBe("https:");
    expect(new Set(addresses).size).toBe(addresses.length);
  });

  it("gives the kind, licence, format and refresh interval of every feed", () => {
    for (const { kind, licence, format, refreshHours } of catalogue) {
      expect(isNetworkKind(kind)).toBe(true);
      expect(licence).not.toBe("");
      expect(format).not.toBe("");
      expect(refreshHours).toBeGreaterThanOrEqual(1);
      expect(Number.isInteger(refreshHours)).toBe(true);
    }
  });

  it("finds the feeds that a configuration names, ignoring spaces, and reports unknown names", () => {
    const { feeds, unknown } = parseConfiguredFeeds(" ipsum , tor-exits,, ipsum,no-such,Ipsum ");
    expect(feeds.map(({ name }) => name)).toEqual(["ipsum", "tor-exits"]);
    expect(unknown).toEqual(["no-such", "Ipsum"]);
  });

  it("finds no feed for an empty configuration", () => {
    expect(parseConfiguredFeeds("")).toEqual({ feeds: [], unknown: [] });
    expect(parseConfiguredFeeds(" , ")).toEqual({ feeds: [], unknown: [] });
  });
});
