import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Address, Family } from "../../../src/sentinel/network/address.ts";
import { encodeCurrent, openCurrent } from "../../../src/sentinel/network/current-data-set.ts";
import { decodeFacts, isFast, networkKinds } from "../../../src/sentinel/network/network-facts.ts";
import type { Feed } from "../../../src/sentinel/network/combine-feeds.ts";
import { buildThreatTable, findThreatFlags } from "../../../src/sentinel/network/threats.ts";
import { addressesAround, naiveFeeds, scanFeeds, toFeeds } from "./naive.ts";
import { address, feed, NOW } from "./support.ts";

const fastKinds = networkKinds.filter(isFast);

/** By way of the value they are stored in. */
function find(feeds: readonly Feed[], targets: readonly Address[]) {
  const times = { builtAt: NOW, threatsAt: NOW };
  const current = openCurrent(encodeCurrent(times, [], buildThreatTable(feeds)));
  if (current === undefined) throw new Error("not opened");
  return targets.map((target) => {
    const facts = decodeFacts(0, 0, findThreatFlags(current.threats, target));
    return facts && { kinds: facts.kinds, threatGrade: facts.threatGrade };
  });
}

function lookup(feeds: readonly Feed[], text: string) {
  return find(feeds, [address(text)])[0];
}

describe("The table of lists that change within hours", () => {
  it.each<Family>([4, 6])("agrees with a linear scan at every IPv%i border", (family) => {
    fc.assert(
      fc.property(naiveFeeds(family, [...fastKinds, "threat"]), (feeds) => {
        const listed = feeds.flatMap(({ networks }) => networks.map(({ network }) => network));
        const targets = addressesAround(family, listed);
        const expected = targets.map((target) => scanFeeds(feeds, target));
        expect(find(toFeeds(feeds), targets)).toEqual(expected);
      }),
      { numRuns: 120 },
    );
  });

  it("adds the counts of threat feeds and stops at 15", () => {
    const feeds = [
      feed("threat", "11.0.0.1 4", "11.0.0.2 9"),
      feed("threat", "11.0.0.0/30"),
      feed("threat", "11.0.0.2 8"),
    ];
    expect(lookup(feeds, "11.0.0.1")?.threatGrade).toBe(5);
    expect(lookup(feeds, "11.0.0.2")?.threatGrade).toBe(15);
    expect(lookup(feeds, "11.0.0.3")?.threatGrade).toBe(1);
    expect(lookup(feeds, "11.0.0.4")).toBeUndefined();
  });

  it("takes the largest count when one feed repeats itself", () => {
    const feeds = [feed("threat", "11.0.0.1 2", "11.0.0.1 5", "11.0.0.0/24 3", "11.0.0.1 1")];
    expect(lookup(feeds, "11.0.0.1")?.threatGrade).toBe(5);
    expect(lookup(feeds, "11.0.0.2")?.threatGrade).toBe(3);
  });

  it("gives feeds of other kinds no grade, whatever their counts", () => {
    const scanner = { kinds: ["scanner"], threatGrade: 0 };
    expect(lookup([feed("scanner", "11.0.0.1 7")], "11.0.0.1")).toEqual(scanner);
  });

  it("holds ranges that are wider than one entry reaches", () => {
    const feeds = [feed("threat", "11.0.0.0/8", "2a00::/16")];
    for (const text of ["11.0.0.0", "11.0.255.255", "11.1.0.0", "11.255.255.255", "2a00:ffff::1"]) {
      expect(lookup(feeds, text)?.kinds).toEqual(["threat"]);
    }
    for (const text of ["10.255.255.255", "12.0.0.0", "2a01::", "29ff:ffff::"]) {
      expect(lookup(feeds, text)).toBeUndefined();
    }
  });

  it("reaches to the first and the very last address of both families", () => {
    const feeds = [feed("tor", "0.0.0.0", "255.255.255.255", "::/64", "ffff:ffff:ffff:ffff::/64")];
    for (const text of ["0.0.0.0", "255.255.255.255", "::1", "ffff:ffff:ffff:ffff::1"]) {
      expect(lookup(feeds, text)?.kinds).toEqual(["tor"]);
    }
    for (const text of ["0.0.0.1", "255.255.255.254", "0:0:0:1::"]) {
      expect(lookup(feeds, text)).toBeUndefined();
    }
  });

  it("holds nothing of the lists that the shards have", () => {
    const feeds = [feed("vpn", "11.0.0.0/8"), feed("tor", "11.0.0.1")];
    expect(lookup(feeds, "11.0.0.1")?.kinds).toEqual(["tor"]);
    expect(buildThreatTable([feed("vpn", "11.0.0.0/8", "2a00::/32")])).toMatchObject({
      v4: 0,
      v6: 0,
    });
  });

  it("is empty without lists", () => {
    expect(buildThreatTable([]).bytes.length).toBe(0);
    expect(lookup([], "11.0.0.1")).toBeUndefined();
    expect(lookup([], "2a00::1")).toBeUndefined();
  });
});
