import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgentPool, type AgentTable } from "../../bench/sentinel/generator/agents.ts";
import { attackerKinds } from "../../bench/sentinel/generator/attackers.ts";
import { measureLeases } from "../../bench/sentinel/generator/leases.ts";
import { createVisitsOfYear, type Visit } from "../../bench/sentinel/generator/logins.ts";
import {
  collectProviders,
  drawAddress,
  neighbourhoodOf,
  prefixOf,
  textOf,
} from "../../bench/sentinel/generator/networks.ts";
import { World } from "../../bench/sentinel/generator/people.ts";
import {
  asDefined,
  type Locality,
  nearLocality,
  publishedLocality,
  yearDays,
} from "../../bench/sentinel/generator/rates.ts";
import { Strangers } from "../../bench/sentinel/generator/strangers.ts";
import { createSyntheticNetworks } from "../../bench/sentinel/generator/synthetic-networks.ts";
import { createTrials } from "../../bench/sentinel/protocol.ts";
import { Random, Weighted } from "../../bench/sentinel/random.ts";
import { summarizeYear } from "../../bench/sentinel/summary.ts";
import { parseAddress } from "../../src/sentinel/network/address.ts";

const day = 24 * 60 * 60 * 1000;
const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
const agents: AgentTable = {
  source: "a few",
  at: Date.UTC(2026, 8, 22),
  agents: [
    { device: "mobile", agent: `Mozilla/5.0 (Linux; Android 10; K) ${webkit} Chrome/153.0.0.0` },
    { device: "mobile", agent: "Mozilla/5.0 (Android 14; Mobile; rv:155.0) Firefox/155.0" },
    { device: "desktop", agent: `Mozilla/5.0 (Windows NT 10.0) ${webkit} Chrome/154.0.0.0` },
    { device: "desktop", agent: `Mozilla/5.0 (X11; Linux x86_64) ${webkit} Chrome/153.0.0.0` },
    { device: "tablet", agent: "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) Version/26.4" },
  ].map(({ device, agent }) => ({
    text: agent,
    weight: 0.2,
    device: device === "mobile" ? "mobile" : device === "tablet" ? "tablet" : "desktop",
  })),
};
const from = agents.at - yearDays * day;

const pool = new AgentPool(agents, asDefined);
const networks = createSyntheticNetworks();

function createWorld(users: number, locality: Locality = nearLocality): World {
  return new World(networks, pool, asDefined, locality, from, users);
}

function createTrialsOf(visits: readonly Visit[], users: number, locality = nearLocality) {
  const people = createVisitsOfYear(createWorld(users, locality), 7, users, users / 2);
  return createTrials(visits, from, new Strangers(people, networks.hosters), pool, 7);
}

test("a seed always gives the same numbers, and another seed gives other numbers", () => {
  const numbers = (label: string) => {
    const random = new Random(label);
    return Array.from({ length: 20 }, () => random.next());
  };
  expect(numbers("a")).toEqual(numbers("a"));
  expect(numbers("a")).not.toEqual(numbers("b"));
  expect(numbers("a").every((number) => number >= 0 && number < 1)).toBe(true);
});

test("items are drawn in proportion to their weights, and never with weight 0", () => {
  const random = new Random("weights");
  const pool = new Weighted([0, 1, 3], (weight) => weight);
  const drawn = Array.from({ length: 4000 }, () => pool.draw(random));
  expect(drawn).not.toContain(0);
  expect(drawn.filter((weight) => weight === 3).length / 4000).toBeCloseTo(0.75, 1);
});

describe("providers", () => {
  const countries = [
    { start: 0, end: 9_999, country: "NO" },
    { start: 10_000, end: 99_999, country: "SE" },
  ];

  test("are split where a range crosses a border, and small ones are omitted", () => {
    const asns = [
      { start: 0, end: 19_999, asn: 1, name: "Wide Telecom" },
      { start: 20_000, end: 20_100, asn: 2, name: "Small Telecom" },
    ];
    expect(collectProviders(asns, countries)).toEqual([
      { asn: 1, country: "NO", addresses: 10_000, ranges: [[0, 10_000]] },
      { asn: 1, country: "SE", addresses: 10_000, ranges: [[10_000, 10_000]] },
    ]);
  });

  test("do not include data centres and ministries, where no people live", () => {
    const names = ["Big Hosting GmbH", "Some Cloud Services", "DoD Network Information Center"];
    const asns = names.map((name, index) => {
      return { start: index * 20_000, end: index * 20_000 + 9_999, asn: index, name };
    });
    expect(collectProviders(asns, countries)).toEqual([]);
  });

  test("give only their own addresses", () => {
    const { providers } = createSyntheticNetworks();
    fc.assert(
      fc.property(fc.constantFrom(...providers), fc.string(), (provider, label) => {
        const address = drawAddress(provider, new Random(label));
        const [start, size] = neighbourhoodOf(provider, address, 4096);
        const owns = (one: number) =>
          provider.ranges.some(([first, length]) => first <= one && one < first + length);
        expect([address, start, start + size - 1].every(owns)).toBe(true);
        expect(start <= address && address < start + size).toBe(true);
      }),
    );
  });
});

test("a browser version never decreases over time and never exceeds the current one", () => {
  const pool = new AgentPool(agents, asDefined);
  const random = new Random("browsers");
  const majorOf = (text: string) => Number(/(Chrome|Firefox)\/(\d+)/.exec(text)?.[2]);
  for (let round = 0; round < 40; round += 1) {
    const browser = pool.drawBrowser(round % 2 === 0 ? "mobile" : "desktop", random);
    const majors = [364, 200, 90, 30, 0].map((ago) =>
      majorOf(pool.agentTextAt(browser, agents.at - ago * day)),
    );
    expect(majors).toEqual(majors.toSorted((left, right) => left - right));
    expect(majors.at(-1)).toBeLessThanOrEqual(majorOf(browser.agent.text));
  }
});

describe("a year", () => {
  const users = 1200;
  const visits = createVisitsOfYear(createWorld(users), 7, 0, users);
  const trials = createTrialsOf(visits, users);
  const matched = trials.filter(({ protocol }) => protocol === "matched");

  test("is the same for the same seed, in order of time", () => {
    expect(createVisitsOfYear(createWorld(users), 7, 0, users)).toEqual(visits);
    expect(visits.map(({ at }) => at)).toEqual(
      visits.map(({ at }) => at).toSorted((left, right) => left - right),
    );
  });

  test("has the published numbers of logins", () => {
    const summary = summarizeYear(visits);
    expect(summary.once).toBeCloseTo(0.397, 1);
    expect(summary.tenOrMore).toBeCloseTo(0.085, 1);
    expect(summary.median).toBe(2);
  });

  test("matches attacks and real logins in history and delay", () => {
    const real = matched.filter((trial) => trial.kind === "real");
    const logins = (kind: string) =>
      matched
        .filter((trial) => trial.kind === kind)
        .map((trial) => trial.logins)
        .toSorted((left, right) => left - right);
    for (const kind of ["naive", "targeted", "stuffing"]) {
      expect(logins(kind)).toEqual(logins("real"));
    }
    expect(real.length).toBeGreaterThan(100);
    for (const { sinceLastMs } of matched) {
      expect(sinceLastMs).toBeGreaterThanOrEqual((2 * day) / 24);
      expect(sinceLastMs).toBeLessThanOrEqual(3 * day);
    }
  });

  test("gives each attacker its knowledge about the victim, and never an address of the victim", () => {
    for (const { kind, position, visit } of matched) {
      const known = visits.slice(0, position).filter(({ user }) => user === visit.user);
      const last = known.at(-1);
      if (kind === "vpn") {
        expect(known.map(({ provider }) => provider.country)).toContain(visit.provider.country);
      }
      if (kind !== "targeted" && kind !== "veryTargeted") continue;
      expect(visit.agent).toBe(last?.agent);
      expect(known.map(({ provider }) => provider.asn)).toContain(visit.provider.asn);
      expect(known.map(({ address }) => address)).not.toContain(visit.address);
    }
    const close = matched.filter(({ kind }) => kind === "veryTargeted");
    const inOwn = close.filter(({ visit, position }) =>
      visits
        .slice(0, position)
        .some(
          ({ user, address }) =>
            user === visit.user && prefixOf(address) === prefixOf(visit.address),
        ),
    );
    expect(inOwn.length / close.length).toBeGreaterThan(0.4);
  });

  test("has attacks of every kind in both periods, and only uninformed ones on users without history", () => {
    const found = new Set(trials.map((trial) => `${trial.period}/${trial.kind}`));
    for (const kind of ["real", ...attackerKinds]) {
      expect(found).toContain(`validation/${kind}`);
      expect(found).toContain(`test/${kind}`);
    }
    const first = trials.filter(({ protocol }) => protocol === "first");
    expect(new Set(first.map(({ kind }) => kind))).toEqual(new Set(["real", "naive", "stuffing"]));
  });

  test("gives a relay the browser that the victim has in hand, and its own network", () => {
    const relays = matched.filter(({ kind }) => kind === "relayHoster");
    const hosters = new Set(networks.hosters.map(({ asn }) => asn));
    for (const { visit, position } of relays) {
      const own = visits[position];
      expect([visit.agent, visit.at]).toEqual([own?.agent, own?.at]);
      expect(hosters).toContain(visit.provider.asn);
    }
    expect(relays.length).toBeGreaterThan(100);
  });

  test("keeps network and agent of a slow campaign for a day, with a small crowd", () => {
    const slow = matched.filter(({ kind }) => kind === "slowStuffing");
    const byDay = Map.groupBy(slow, ({ visit }) => Math.floor(visit.at / day));
    for (const campaign of byDay.values()) {
      const sources = campaign.map(({ visit }) => `${visit.provider.asn}/${visit.agent}`);
      expect(new Set(sources).size).toBe(1);
    }
    for (const { crowd } of slow) expect(crowd?.fromPrefix).toBeLessThanOrEqual(3);
  });

  test("changes exactly one thing in each experience of a real user", () => {
    const differences = {
      nothingNew: "",
      travel: "provider address",
      newPhone: "agent",
      newProvider: "provider address",
      browserUpdate: "agent",
    } as const;
    for (const [kind, expected] of Object.entries(differences)) {
      const changed = trials.filter((trial) => trial.kind === kind);
      expect(changed.length).toBeGreaterThan(20);
      for (const { visit, position } of changed) {
        const last = visits.slice(0, position).findLast(({ user }) => user === visit.user);
        const found = (["provider", "address", "agent"] as const).filter(
          (part) => visit[part] !== last?.[part],
        );
        expect(found.join(" ")).toBe(expected);
      }
    }
    const moved = trials.filter(({ kind }) => kind === "officeMove");
    for (const { visit, position } of moved) {
      const last = visits.slice(0, position).findLast(({ user }) => user === visit.user);
      expect(visit.provider.country).toBe(last?.provider.country);
    }
    expect(moved.length).toBeGreaterThan(50);
    const newcomers = trials.filter(({ kind }) => kind === "officeNewcomers");
    expect(newcomers.every(({ logins }) => logins === 0)).toBe(true);
    expect(Math.max(...newcomers.map(({ crowd }) => crowd?.fromAddress ?? 0))).toBeGreaterThan(25);
  });
});

describe("the published locality", () => {
  const users = 400;
  const visits = createVisitsOfYear(createWorld(users, publishedLocality), 7, 0, users);

  test("makes almost half of the changes of a home's address leave its range", () => {
    // The synthetic networks have two ranges each, so fewer changes leave them than in real networks.
    const { leavesRange } = measureLeases(networks.providers, publishedLocality);
    expect(leavesRange).toBeGreaterThan(0.38);
    expect(leavesRange).toBeLessThan(0.5);
    expect(measureLeases(networks.providers, nearLocality).staysInPool).toBeGreaterThan(0.75);
  });

  test("has IPv6 addresses that the service reads, and renumbers homes within their network", () => {
    const texts = visits.map(({ address }) => textOf(address));
    const ipv6 = texts.filter((text) => text.includes(":"));
    expect(ipv6.length / texts.length).toBeGreaterThan(0.2);
    for (const text of ipv6) expect(parseAddress(text)?.range).toBe("unicast");
    const trials = createTrialsOf(visits, users, publishedLocality);
    const renumbered = trials.filter(({ kind }) => kind === "ipv6Renumbering");
    expect(renumbered.length).toBeGreaterThan(20);
    for (const { visit, position } of renumbered) {
      const last = visits.slice(0, position).findLast(({ user }) => user === visit.user);
      const [before, after] = [textOf(last?.address ?? 0), textOf(visit.address)];
      const groups = (text: string, count: number) => text.split(":").slice(0, count).join(":");
      expect(groups(after, 4)).not.toBe(groups(before, 4));
      expect(groups(after, 2)).toBe(groups(before, 2));
    }
  });
});
