import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { computeContributions } from "../../../src/sentinel/behaviour/attacker-model.ts";
import { compareWithHistory } from "../../../src/sentinel/behaviour/behaviour.ts";
import { agentLevels, type Context, networkLevels } from "../../../src/sentinel/context.ts";
import type { BehaviourEvidence } from "../../../src/sentinel/evidence.ts";
import type { History } from "../../../src/sentinel/history.ts";
import { countPopulation, type Population } from "../../../src/sentinel/population/population.ts";
import { attackerKinds, attackers, behaviourBounds } from "../../../src/sentinel/weights.ts";
import {
  createLogins,
  createSession,
  day,
  hour,
  now,
  strangerContext,
  usualContext,
} from "../example.ts";

function compareOrFail(
  history: History,
  context: Context,
  population: Population | null = null,
): BehaviourEvidence {
  const behaviour = compareWithHistory(history, context, population, now);
  if (behaviour === null) throw new Error("The history is empty");
  return behaviour;
}

function sumOf(behaviour: BehaviourEvidence): number {
  const { network, agent, hour: ofHour } = computeContributions(behaviour);
  return network + agent + ofHour;
}

function computeEvidence(
  context: Context,
  history = createLogins(10, day),
  population?: Population,
) {
  return sumOf(compareOrFail(history, context, population ?? null));
}

/** A population with this many logins from each context. */
function populationOf(...groups: readonly (readonly [number, Context])[]): Population {
  const sessions = groups.flatMap(([count, context]) =>
    Array.from({ length: count }, (_, index) => ({
      identityId: `user-${index}`,
      at: now - index * hour,
      context,
      behaviour: null,
    })),
  );
  return countPopulation(sessions, now);
}

const elsewhere = { asn: 41164, prefix: "prefix-2", address: "address-2" };

describe("The comparison", () => {
  test("descends each hierarchy to the first level that is new", () => {
    const { network, agent } = compareOrFail(createLogins(3, day), {
      ...usualContext,
      prefix: "prefix-2",
      address: "address-2",
      os: "Linux",
      agent: "agent-2",
    });
    expect(network.map(({ level, seen }) => [level, seen])).toEqual([
      ["country", true],
      ["asn", true],
      ["prefix", false],
    ]);
    expect(agent.map(({ level, seen }) => [level, seen])).toEqual([
      ["device", true],
      ["os", false],
    ]);
  });

  test("omits a level that is unknown in the session or in its history", () => {
    const unknown = { ...usualContext, country: null, asn: null };
    expect(compareOrFail(createLogins(3, day), unknown).network.map(({ level }) => level)).toEqual([
      "prefix",
      "address",
    ]);
    expect(
      compareOrFail(createLogins(3, day, unknown), usualContext).network.map(({ level }) => level),
    ).toEqual(["prefix", "address"]);
    const relayed = { ...unknown, prefix: null, address: null };
    expect(compareOrFail(createLogins(3, day), relayed).network).toEqual([]);
  });

  test("gives recent logins more weight", () => {
    const moved = [
      createSession({ id: "old", at: now - 120 * day }),
      createSession({ id: "new", at: now - day, context: { ...usualContext, ...elsewhere } }),
    ];
    const share = (context: Context) =>
      compareOrFail(moved, context).network.find(({ level }) => level === "asn")?.own ?? 0;
    expect(share({ ...usualContext, ...elsewhere })).toBeGreaterThan(share(usualContext));
    expect(share({ ...usualContext, ...elsewhere }) + share(usualContext)).toBeCloseTo(1, 10);
  });

  test("has no result without a history", () => {
    expect(compareWithHistory([], usualContext, null, now)).toBeNull();
  });

  test("finds night hours usual for a night worker and other hours unusual", () => {
    const nights = Array.from({ length: 20 }, (_, n) =>
      createSession({ id: `n${n}`, at: now - (n + 1) * day + (n % 2) * hour }),
    );
    const days = nights.map((one) => ({ ...one, at: one.at - 11 * hour }));
    expect(compareOrFail(nights, usualContext).hour.own).toBeGreaterThan(2);
    expect(compareOrFail(days, usualContext).hour.own).toBeLessThan(0.1);
  });
});

describe("Evidence of behaviour", () => {
  test("lowers the score of the usual session and raises the score of a stranger's session", () => {
    expect(computeEvidence(usualContext)).toBeLessThan(-3);
    expect(computeEvidence(strangerContext)).toBeGreaterThan(3);
  });

  test("grows with each level of the network that is new", () => {
    const other = { ...usualContext, agent: "agent-9", browser: "Firefox 140" };
    const steps = [
      other,
      { ...other, address: "address-2" },
      { ...other, address: "address-2", prefix: "prefix-2" },
      { ...other, ...elsewhere },
    ].map((context) => computeEvidence(context));
    expect(steps).toEqual(steps.toSorted((left, right) => left - right));
    expect(new Set(steps).size).toBe(steps.length);
  });

  test("does not challenge a known computer in a new network, which travels with its user or is relayed", () => {
    const abroad = { ...elsewhere, country: "SE" };
    const { knownAgent } = behaviourBounds;
    expect(computeEvidence({ ...usualContext, ...abroad })).toBeGreaterThan(-1);
    expect(computeEvidence({ ...usualContext, ...abroad })).toBeLessThan(knownAgent.max);
    expect(computeEvidence({ ...strangerContext, ...abroad })).toBeGreaterThan(2);
  });

  test("raises the score of a new address block in the known network soon after a login, but not later", () => {
    const near = { ...usualContext, prefix: "prefix-2", address: "address-2" };
    const soon = computeEvidence(near, createLogins(10, 6 * hour));
    const late = computeEvidence(near, createLogins(10, 90 * day));
    expect(soon).toBeGreaterThan(0.5);
    expect(late).toBeLessThan(soon - 1);
  });

  test("is weaker against a stranger when few logins are known", () => {
    const by = [1, 3, 10].map((count) =>
      computeEvidence(strangerContext, createLogins(count, day)),
    );
    expect(by).toEqual(by.toSorted((left, right) => left - right));
    expect(new Set(by).size).toBe(by.length);
  });

  test("gives a common network less weight than a rare one", () => {
    const common = populationOf([900, usualContext], [100, strangerContext]);
    const rare = populationOf([10, usualContext], [990, strangerContext]);
    // Only the network matters here: the agent is new.
    const context = { ...usualContext, prefix: "prefix-2", address: "address-2", agent: "agent-2" };
    const networkOf = (population: Population) =>
      computeContributions(compareOrFail(createLogins(10, day), context, population)).network;
    expect(networkOf(rare)).toBeLessThan(networkOf(common));
  });

  test("gives a new address less weight when the user's addresses always change", () => {
    const phone = createLogins(10, day).map((one, n) => ({
      ...one,
      context: { ...usualContext, prefix: `prefix-${n}`, address: `address-${n}` },
    }));
    const moved = { ...usualContext, prefix: "prefix-x", address: "address-x" };
    expect(computeEvidence(moved, phone)).toBeLessThan(computeEvidence(moved) - 0.7);
  });

  test("gives novelty less weight in a population whose users often change networks", () => {
    const behaviour = compareOrFail(createLogins(10, day), {
      ...strangerContext,
      ...usualContext,
      ...elsewhere,
    });
    const withNovelty = (count: number, all: number) => ({
      ...behaviour,
      network: behaviour.network.map((level) => ({ ...level, novelty: { count, all } })),
    });
    const mobile = computeContributions(withNovelty(900, 1000)).network;
    const settled = computeContributions(withNovelty(1, 1000)).network;
    expect(mobile).toBeLessThan(computeContributions(behaviour).network);
    expect(settled).toBeGreaterThan(computeContributions(behaviour).network);
  });

  test("is zero for a part that is switched off, and leaves the other parts unchanged", () => {
    const behaviour = compareOrFail(createLogins(10, day), strangerContext);
    const without = computeContributions(behaviour, ["network"]);
    expect(without.network).toBe(0);
    expect(without.agent).toBeGreaterThan(0);
    const none = computeContributions(behaviour, ["network", "agent", "hour", "client"]);
    expect(none).toEqual({ network: 0, agent: 0, hour: 0, client: 0 });
  });

  test("stays within its bounds for any history and population", () => {
    const text = fc.option(fc.constantFrom("a", "b", "c"));
    const contexts: fc.Arbitrary<Context> = fc.record({
      country: text,
      asn: fc.option(fc.integer({ min: 1, max: 3 })),
      prefix: text,
      address: text,
      device: text,
      os: text,
      browser: text,
      agent: fc.constantFrom("a", "b", "c"),
      placeHidden: fc.boolean(),
    });
    const history = fc
      .array(fc.record({ ago: fc.nat(180 * day), context: contexts }), { minLength: 1 })
      .map((all) =>
        all
          .map(({ ago, context }, n) => createSession({ id: `${n}`, at: now - ago, context }))
          .toSorted((left, right) => left.at - right.at),
      );
    fc.assert(
      fc.property(history, contexts, fc.boolean(), (known, context, withPopulation) => {
        const population = withPopulation
          ? countPopulation(
              known.map(({ id, at, context: of }) => ({
                identityId: id,
                at,
                context: of,
                behaviour: compareWithHistory(known, of, null, now),
              })),
              now,
            )
          : null;
        const behaviour = compareOrFail(known, context, population);
        for (const { own, population: share } of [...behaviour.network, ...behaviour.agent]) {
          expect(own).toBeGreaterThanOrEqual(0);
          expect(own).toBeLessThanOrEqual(1 + 1e-12);
          expect(share.count).toBeLessThanOrEqual(share.all);
        }
        const { network, agent, hour: ofHour } = computeContributions(behaviour);
        for (const part of [network, agent]) {
          expect(part).toBeGreaterThanOrEqual(behaviourBounds.min);
          expect(part).toBeLessThanOrEqual(behaviourBounds.max);
        }
        expect(ofHour).toBeGreaterThanOrEqual(behaviourBounds.hour.min);
        expect(ofHour).toBeLessThanOrEqual(behaviourBounds.hour.max);
      }),
      { numRuns: 500 },
    );
  });

  test("uses attacker shares that add up to 1, and probabilities between 0 and 1", () => {
    const shares = attackerKinds.map((kind) => attackers[kind].share);
    expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 10);
    for (const kind of attackerKinds) {
      for (const level of [...networkLevels, ...agentLevels]) {
        expect(attackers[kind].imitates[level]).toBeGreaterThan(0);
        expect(attackers[kind].imitates[level]).toBeLessThan(1);
      }
    }
  });
});
