import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Address, Family } from "../../../src/sentinel/network/address.ts";
import type { Feed } from "../../../src/sentinel/network/combine-feeds.ts";
import { encodeCurrent, openCurrent } from "../../../src/sentinel/network/current-data-set.ts";
import { decodeFacts, isFast, networkKinds } from "../../../src/sentinel/network/network-facts.ts";
import { buildThreatTable, findThreatFlags } from "../../../src/sentinel/network/threats.ts";
import { generateFeeds, listAddressesAround, scanFeeds, toFeeds } from "./naive.ts";
import { addressOf, feedOf, NOW } from "./support.ts";

const fastKinds = networkKinds.filter(isFast);

/** Reads the flags back from the value that stores them. */
function findAll(feeds: readonly Feed[], targets: readonly Address[]) {
  const times = { builtAt: NOW, threatsAt: NOW, lists: {} };
  const current = openCurrent(encodeCurrent(times, [], buildThreatTable(feeds)));
  if (current === undefined) throw new Error("not opened");
  return targets.map((target) => {
    const facts = decodeFacts(0, 0, findThreatFlags(current.threats, target));
    return facts && { kinds: facts.kinds, threatGrade: facts.threatGrade };
  });
}

function lookUp(feeds: readonly Feed[], text: string) {
  return findAll(feeds, [addressOf(text)])[0];
}

describe("The table of threats", () => {
  it.each<Family>([4, 6])("agrees with a linear scan at every IPv%i border", (family) => {
    fc.assert(
      fc.property(generateFeeds(family, [...fastKinds, "threat"]), (feeds) => {
        const listed = feeds.flatMap(({ networks }) => networks.map(({ network }) => network));
        const targets = listAddressesAround(family, listed);
        const expected = targets.map((target) => scanFeeds(feeds, target));
        expect(findAll(toFeeds(feeds), targets)).toEqual(expected);
      }),
      { numRuns: 120 },
    );
  });

  it("adds the counts of threat feeds and stops at 15", () => {
    const feeds = [
      feedOf("threat", "11.0.0.1 4", "11.0.0.2 9"),
      feedOf("threat", "11.0.0.0/30"),
      feedOf("threat", "11.0.0.2 8"),
    ];
    expect(lookUp(feeds, "11.0.0.1")?.threatGrade).toBe(5);
    expect(lookUp(feeds, "11.0.0.2")?.threatGrade).toBe(15);
    expect(lookUp(feeds, "11.0.0.3")?.threatGrade).toBe(1);
    expect(lookUp(feeds, "11.0.0.4")).toBeUndefined();
  });

  it("takes the largest count when one feed repeats an address", () => {
    const feeds = [feedOf("threat", "11.0.0.1 2", "11.0.0.1 5", "11.0.0.0/24 3", "11.0.0.1 1")];
    expect(lookUp(feeds, "11.0.0.1")?.threatGrade).toBe(5);
    expect(lookUp(feeds, "11.0.0.2")?.threatGrade).toBe(3);
  });

  it("gives feeds of other kinds no grade, for any count", () => {
    const scanner = { kinds: ["scanner"], threatGrade: 0 };
    expect(lookUp([feedOf("scanner", "11.0.0.1 7")], "11.0.0.1")).toEqual(scanner);
  });

  it("contains ranges that are wider than one entry can be", () => {
    const feeds = [feedOf("threat", "11.0.0.0/8", "2a00::/16")];
    for (const text of ["11.0.0.0", "11.0.255.255", "11.1.0.0", "11.255.255.255", "2a00:ffff::1"]) {
      expect(lookUp(feeds, text)?.kinds).toEqual(["threat"]);
    }
    for (const text of ["10.255.255.255", "12.0.0.0", "2a01::", "29ff:ffff::"]) {
      expect(lookUp(feeds, text)).toBeUndefined();
    }
  });

  it("covers the first and the last address of both families", () => {
    const feeds = [
      feedOf("tor", "0.0.0.0", "255.255.255.255", "::/64", "ffff:ffff:ffff:ffff::/64"),
    ];
    for (const text of ["0.0.0.0", "255.255.255.255", "::1", "ffff:ffff:ffff:ffff::1"]) {
      expect(lookUp(feeds, text)?.kinds).toEqual(["tor"]);
    }
    for (const text of ["0.0.0.1", "255.255.255.254", "0:0:0:1::"]) {
      expect(lookUp(feeds, text)).toBeUndefined();
    }
  });

  it("contains nothing from the lists that the shards contain", () => {
    const feeds = [feedOf("vpn", "11.0.0.0/8"), feedOf("tor", "11.0.0.1")];
    expect(lookUp(feeds, "11.0.0.1")?.kinds).toEqual(["tor"]);
    expect(buildThreatTable([feedOf("vpn", "11.0.0.0/8", "2a00::/32")])).toMatchObject({
      v4: 0,
      v6: 0,
    });
  });

  it("is empty without lists", () => {
    expect(buildThreatTable([]).bytes.length).toBe(0);
    expect(lookUp([], "11.0.0.1")).toBeUndefined();
    expect(lookUp([], "2a00::1")).toBeUndefined();
  });
});
