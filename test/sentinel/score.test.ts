import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentFactsOf } from "../../src/sentinel/agent.ts";
import { compareWithHistory } from "../../src/sentinel/behaviour/behaviour.ts";
import {
  type NetworkEvidence,
  reportedParts,
  type SessionEvidence,
} from "../../src/sentinel/evidence.ts";
import type { NetworkFacts, NetworkKind } from "../../src/sentinel/network/network-facts.ts";
import { signalNames } from "../../src/sentinel/reason.ts";
import { recommend, scoreOf } from "../../src/sentinel/score.ts";
import { findReasons } from "../../src/sentinel/signals/reasons.ts";
import {
  maxFailuresCounted,
  priorProbability,
  velocityLimits,
  weights,
} from "../../src/sentinel/weights.ts";
import {
  neutralEvidence,
  day,
  usualContext,
  hour,
  createLogins,
  now,
  strangerContext,
} from "./example.ts";

function factsOf(kinds: readonly NetworkKind[], threatGrade = 0): NetworkFacts {
  return { kinds, threatGrade, asn: 64_500, country: "NL" };
}

function withNetwork(network: Partial<NetworkEvidence>): SessionEvidence {
  return { ...neutralEvidence, network: { ...neutralEvidence.network, ...network } };
}

const allowed = { list: "allow", entry: "0123456789abcdef", network: null } as const;
const denied = { list: "deny", entry: "0123456789abcdef", network: null } as const;

function withKinds(...names: readonly NetworkKind[]): SessionEvidence {
  return withNetwork({ facts: factsOf(names) });
}

function contributionsOf(evidence: SessionEvidence, off: readonly string[] = []) {
  return findReasons(evidence, off).map(({ signal, contribution }) => [signal, contribution]);
}

/** The names of the signals that speak, in the order of the alphabet. */
function signalsOf(evidence: SessionEvidence): string[] {
  return findReasons(evidence, [])
    .map(({ signal }) => signal)
    .toSorted();
}

/** Attempts in each window: as many as a person may make, and one more in these windows. */
function exceedLimits(...windows: readonly number[]): number[] {
  return velocityLimits.map(({ attempts }, index) => attempts + (windows.includes(index) ? 1 : 0));
}

/** The score as it is defined, by odds instead of logarithms. */
function computeByOdds(contributions: readonly number[]): number {
  const prior = 0.05 / 0.95;
  const odds = contributions.reduce((product, one) => product * Math.E ** one, prior);
  return odds / (1 + odds);
}

const evidences: fc.Arbitrary<SessionEvidence> = fc.record({
  network: fc.record({
    address: fc.constant("address-1"),
    prefix: fc.constant("prefix-1"),
    facts: fc.option(
      fc
        .record({
          some: fc.subarray([
            "hosting",
            "vpn",
            "tor",
            "proxy",
            "relay",
            "cloud",
            "crawler",
            "scanner",
          ] as const),
          threatGrade: fc.integer({ min: 0, max: 15 }),
        })
        .map(({ some, threatGrade }) =>
          factsOf(threatGrade > 0 ? [...some, "threat"] : some, threatGrade),
        ),
    ),
    reservedRange: fc.option(fc.constantFrom("private", "loopback")),
    tenantList: fc.option(
      fc.record({
        list: fc.constantFrom("allow" as const, "deny" as const),
        entry: fc.constant("0123456789abcdef"),
        network: fc.option(fc.constant("198.51.100.0/24")),
      }),
    ),
  }),
  agent: fc.constantFrom("empty", "headless", "scripted", "impossible", "browser", "application"),
  context: fc.constant(usualContext),
  agentSwitched: fc.boolean(),
  behaviour: fc.option(
    fc
      .record({
        count: fc.integer({ min: 1, max: 20 }),
        ago: fc.nat(90 * day),
        context: fc.constantFrom(usualContext, strangerContext, {
          ...usualContext,
          prefix: "other",
          address: "other",
        }),
      })
      .map(({ count, ago, context }) =>
        compareWithHistory(createLogins(count, ago), context, null, now),
      ),
  ),
  travel: fc.option(fc.constant({ kilometres: 9_000, hours: 2 })),
  reported: fc.subarray([...reportedParts]),
  crowd: fc.option(fc.record({ fromAddress: fc.nat(500), fromPrefix: fc.nat(500) })),
  userMismatch: fc.boolean(),
  identity: fc.record({
    failedAttempts: fc.nat(100),
    locked: fc.boolean(),
    attempts: fc.array(fc.nat(100), { minLength: 3, maxLength: 3 }),
  }),
});
const someOff = fc.subarray([...signalNames]);

describe("the score", () => {
  test("of the document's sample is exactly 0.05 and allowed", () => {
    const reasons = findReasons(
      { ...neutralEvidence, agent: agentFactsOf("EnterpriseAgent/1.0").kind },
      [],
    );
    expect(reasons).toEqual([]);
    expect(scoreOf(reasons)).toBe(0.05);
    expect(recommend(0.05, { challengeAt: 0.5, denyAt: 0.8 })).toBe("allow");
    expect(priorProbability).toBe(0.05);
  });

  test("is what anyone recomputes from the reasons, to four decimals", () => {
    fc.assert(
      fc.property(evidences, someOff, (evidence, off) => {
        const reasons = findReasons(evidence, off);
        const score = scoreOf(reasons);
        const recomputed = computeByOdds(reasons.map(({ contribution }) => contribution));
        expect(Math.abs(score - recomputed)).toBeLessThanOrEqual(0.5e-4 + 1e-9);
        expect(Number(score.toFixed(4))).toBe(score);
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }),
      { numRuns: 500 },
    );
  });

  test("grows with evidence against a session and falls with evidence for it", () => {
    const contribution = fc.integer({ min: -100, max: 100 }).map((tenths) => tenths / 10);
    fc.assert(
      fc.property(fc.array(contribution, { maxLength: 5 }), contribution, (before, added) => {
        const less = scoreOf(before.map((one) => ({ contribution: one })));
        const more = scoreOf([...before, added].map((one) => ({ contribution: one })));
        if (added >= 0) expect(more).toBeGreaterThanOrEqual(less);
        if (added <= 0) expect(more).toBeLessThanOrEqual(less);
      }),
    );
  });

  test("stays a number between 0 and 1 at the ends", () => {
    expect(scoreOf([{ contribution: 1_000 }])).toBe(1);
    expect(scoreOf([{ contribution: -1_000 }])).toBe(0);
  });
});

describe("the recommendation", () => {
  const policy = { challengeAt: 0.5, denyAt: 0.8 };

  test.each([
    [0, "allow"],
    [0.05, "allow"],
    [0.4999, "allow"],
    [0.5, "challenge"],
    [0.7999, "challenge"],
    [0.8, "deny"],
    [1, "deny"],
  ])("for %f is to %s", (score, recommendation) => {
    expect(recommend(score, policy)).toBe(recommendation);
  });

  test("knows no challenge where both thresholds are one", () => {
    const one = { challengeAt: 0.6, denyAt: 0.6 };
    expect(recommend(0.5999, one)).toBe("allow");
    expect(recommend(0.6, one)).toBe("deny");
  });

  test("turns at the very score that is answered", () => {
    fc.assert(
      fc.property(evidences, (evidence) => {
        const score = scoreOf(findReasons(evidence, []));
        fc.pre(score > 0 && score < 1);
        expect(recommend(score, { challengeAt: score, denyAt: 1 })).toBe("challenge");
        expect(recommend(score, { challengeAt: 0, denyAt: score })).toBe("deny");
        expect(recommend(score, { challengeAt: score + 1e-4, denyAt: 1 })).toBe("allow");
      }),
    );
  });

  test("for a script behind Tor is to deny", () => {
    const reasons = findReasons(
      { ...withKinds("tor"), agent: agentFactsOf("curl/8.7.1").kind },
      [],
    );
    expect(reasons.map(({ signal }) => signal)).toEqual(["tor_exit", "agent_scripted"]);
    expect(recommend(scoreOf(reasons), policy)).toBe("deny");
  });

  test("for Tor alone is to challenge, for a script alone to allow", () => {
    expect(recommend(scoreOf(findReasons(withKinds("tor"), [])), policy)).toBe("challenge");
    const scripted = findReasons({ ...neutralEvidence, agent: "scripted" }, []);
    expect(recommend(scoreOf(scripted), policy)).toBe("allow");
  });

  test("for an address on the tenant's deny list is to deny", () => {
    const reasons = findReasons(withNetwork({ tenantList: denied }), []);
    expect(recommend(scoreOf(reasons), policy)).toBe("deny");
  });
});

describe("each signal by itself", () => {
  const identity = (changes: Partial<SessionEvidence["identity"]>): SessionEvidence => ({
    ...neutralEvidence,
    identity: { ...neutralEvidence.identity, ...changes },
  });
  const alone: readonly (readonly [string, SessionEvidence, number])[] = [
    ["tenant_deny_list", withNetwork({ tenantList: denied }), weights.tenantDenyList],
    ["tenant_allow_list", withNetwork({ tenantList: allowed }), weights.tenantAllowList],
    ["threat_list", withNetwork({ facts: factsOf(["threat"], 1) }), weights.threatListed[0]],
    ["tor_exit", withKinds("tor"), weights.torExit],
    ["vpn", withKinds("vpn"), weights.vpn],
    ["proxy", withKinds("proxy"), weights.proxy],
    ["scanner", withKinds("scanner"), weights.scanner],
    ["hosting_network", { ...withKinds("hosting"), agent: "browser" }, weights.hostingWithBrowser],
    ["privacy_relay", withKinds("relay"), 0],
    ["reserved_address", withNetwork({ reservedRange: "private" }), 0],
    ["agent_empty", { ...neutralEvidence, agent: "empty" }, weights.agentEmpty],
    ["agent_headless", { ...neutralEvidence, agent: "headless" }, weights.agentHeadless],
    ["agent_scripted", { ...neutralEvidence, agent: "scripted" }, weights.agentScripted],
    ["user_mismatch", { ...neutralEvidence, userMismatch: true }, weights.userMismatch],
    ["recent_failures", identity({ failedAttempts: 1 }), weights.failedAttempt],
    ["locked", identity({ locked: true }), weights.locked],
    ["velocity", identity({ attempts: exceedLimits(0) }), weights.velocity],
    ["agent_impossible", { ...neutralEvidence, agent: "impossible" }, weights.agentImpossible],
    ["agent_switch", { ...neutralEvidence, agentSwitched: true }, weights.agentSwitch],
    [
      "impossible_travel",
      { ...neutralEvidence, travel: { kilometres: 9_000, hours: 2 } },
      weights.impossibleTravel,
    ],
    ["reported_fraud", { ...neutralEvidence, reported: ["agent"] }, weights.reportedFraud.agent],
    [
      "credential_stuffing",
      { ...neutralEvidence, crowd: { fromAddress: 5, fromPrefix: 5 } },
      weights.stuffing.address[0].contribution,
    ],
  ];
  const habits = ["network_history", "agent_history", "hour_of_week"];

  test("is one of those there are, or one of the three about habits", () => {
    const names = [...alone.map(([signal]) => signal), ...habits];
    expect(names.toSorted()).toEqual([...signalNames].toSorted());
  });

  test("habits give up to three reasons, each of which can be switched off", () => {
    const behaviour = compareWithHistory(createLogins(10, 3 * hour), strangerContext, null, now);
    const evidence = { ...neutralEvidence, context: strangerContext, behaviour };
    expect(signalsOf(evidence)).toEqual(habits.toSorted());
    for (const signal of habits) {
      const left = findReasons(evidence, [signal]).map((one) => one.signal);
      expect(left.toSorted()).toEqual(habits.filter((one) => one !== signal).toSorted());
    }
    const [reason] = findReasons(evidence, ["agent_history", "hour_of_week"]);
    expect(reason?.detail).toBe("New country, 3 hours after the last of 10 confirmed sessions.");
    expect(reason?.contribution).toBeGreaterThan(1);
  });

  test.each([
    { own: 1.2, population: 3, frequency: "less" },
    { own: 0.8, population: 0.3, frequency: "more" },
  ])("an hour of $own of the user and $population of all is called $frequency common", (given) => {
    const compared = compareWithHistory(createLogins(10, 3 * hour), usualContext, null, now);
    if (compared === null) throw new Error("There is no history");
    const behaviour = { ...compared, hour: { own: given.own, population: given.population } };
    const reasons = findReasons({ ...neutralEvidence, behaviour }, []);
    const reason = reasons.find(({ signal }) => signal === "hour_of_week");
    expect(Math.sign(reason?.contribution ?? 0)).toBe(given.frequency === "more" ? -1 : 1);
    expect(reason?.detail).toContain(` ${given.frequency} often `);
  });

  test("many users at an address weigh by their number, and little where one is at home", () => {
    const crowded = (fromAddress: number, fromPrefix: number) =>
      findReasons({ ...neutralEvidence, crowd: { fromAddress, fromPrefix } }, [])[0]
        ?.contribution ?? 0;
    const byAddress = [4, 5, 10, 25, 100].map((count) => crowded(count, count));
    expect(byAddress[0]).toBe(0);
    expect(byAddress).toEqual(byAddress.toSorted((left, right) => left - right));
    expect(crowded(1, 14)).toBe(0);
    expect(crowded(1, 100)).toBeGreaterThan(crowded(1, 15));
    const atHome = compareWithHistory(createLogins(10, 3 * hour), usualContext, null, now);
    const [office] = findReasons(
      { ...neutralEvidence, behaviour: atHome, crowd: { fromAddress: 100, fromPrefix: 100 } },
      signalNames.filter((name) => name !== "credential_stuffing"),
    );
    expect(office?.contribution).toBeLessThan(crowded(100, 100) / 2);
  });

  test("a crowd behind a privacy relay is what a relay is", () => {
    const evidence = { ...withKinds("relay"), crowd: { fromAddress: 500, fromPrefix: 500 } };
    expect(signalsOf(evidence)).toEqual(["privacy_relay"]);
  });

  test("what was reported as fraud weighs by the closest that is shared", () => {
    const shared = (...reported: SessionEvidence["reported"]) =>
      findReasons({ ...neutralEvidence, reported }, [])[0]?.contribution;
    expect(shared("address", "prefix", "agent")).toBe(weights.reportedFraud.address);
    expect(shared("prefix", "agent")).toBe(weights.reportedFraud.prefix);
  });

  test.each(alone)("%s gives its weight, with a sentence", (signal, evidence, weight) => {
    const reasons = findReasons(evidence, []);
    expect(reasons).toMatchObject([{ signal, contribution: weight }]);
    expect(reasons[0]?.detail).toMatch(/^\S.*\.$/);
    expect(scoreOf(reasons)).toBeCloseTo(computeByOdds([weight]), 4);
  });

  test.each(alone)("%s gives nothing when it is off", (signal, evidence) => {
    expect(findReasons(evidence, [signal])).toEqual([]);
    const others = signalNames.filter((name) => name !== signal);
    expect(findReasons(evidence, others)).toHaveLength(1);
  });

  test("threat lists weigh more the more of them there are, up to the last weight", () => {
    const given = Array.from({ length: 15 }, (_, index) => {
      const [reason] = findReasons(withNetwork({ facts: factsOf(["threat"], index + 1) }), []);
      return reason?.contribution ?? 0;
    });
    const known = weights.threatListed.length;
    expect(given.slice(0, known)).toEqual(weights.threatListed);
    expect(given).toEqual(given.toSorted((left, right) => left - right));
    expect(new Set(given.slice(known - 1))).toEqual(new Set(weights.threatListed.slice(-1)));
  });

  test("failures weigh by their number, five and more the same", () => {
    expect(maxFailuresCounted).toBe(5);
    for (const failedAttempts of [0, 1, 2, 3, 4, 5, 6, 100]) {
      const [reason] = findReasons(identity({ failedAttempts }), []);
      const counted = Math.min(failedAttempts, 5);
      expect(reason?.contribution ?? 0).toBeCloseTo(counted * weights.failedAttempt, 10);
    }
  });

  test("velocity weighs by the windows in which more than a person's were tried", () => {
    const velocity = (attempts: readonly number[]) =>
      findReasons(identity({ attempts }), [])[0]?.contribution ?? 0;
    expect(velocity(exceedLimits())).toBe(0);
    expect(velocity(exceedLimits(0))).toBe(weights.velocity);
    expect(velocity(exceedLimits(1))).toBe(weights.velocity);
    expect(velocity(exceedLimits(2))).toBe(weights.velocity);
    expect(velocity(exceedLimits(0, 2))).toBe(2 * weights.velocity);
    expect(velocity(exceedLimits(0, 1, 2))).toBe(3 * weights.velocity);
  });

  test.each(["hosting", "cloud", "crawler"] as const)(
    "a %s network is a signal for a browser only",
    (kind) => {
      expect(contributionsOf({ ...withKinds(kind), agent: "browser" })).toEqual([
        ["hosting_network", weights.hostingWithBrowser],
      ]);
      expect(contributionsOf(withKinds(kind))).toEqual([]);
      expect(contributionsOf({ ...withKinds(kind), agent: "scripted" })).toEqual([
        ["agent_scripted", weights.agentScripted],
      ]);
    },
  );

  test("a network that is several kinds of hosting counts once", () => {
    const hosted = { ...withKinds("hosting", "cloud", "crawler"), agent: "browser" as const };
    expect(contributionsOf(hosted)).toEqual([["hosting_network", weights.hostingWithBrowser]]);
  });
});

describe("the reasons", () => {
  test("are strongest first, for or against, and no signal twice", () => {
    fc.assert(
      fc.property(evidences, someOff, (evidence, off) => {
        const reasons = findReasons(evidence, off);
        const strengths = reasons.map(({ contribution }) => Math.abs(contribution));
        expect(strengths).toEqual(strengths.toSorted((left, right) => right - left));
        expect(new Set(reasons.map(({ signal }) => signal)).size).toBe(reasons.length);
        for (const { signal, contribution } of reasons) {
          expect(off).not.toContain(signal);
          expect(Number(contribution.toFixed(4))).toBe(contribution);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("are none when all signals are off", () => {
    fc.assert(
      fc.property(evidences, (evidence) => {
        expect(findReasons(evidence, signalNames)).toEqual([]);
        expect(scoreOf(findReasons(evidence, signalNames))).toBe(0.05);
      }),
    );
  });

  test("with one signal off are the others, unless it vouched for or explained the network", () => {
    fc.assert(
      fc.property(evidences, fc.constantFrom(...signalNames), (evidence, signal) => {
        // What one habit says is given what the others said.
        const isAlone = !["network_history", "agent_history", "hour_of_week"].includes(signal);
        fc.pre(signal !== "tenant_allow_list" && signal !== "privacy_relay" && isAlone);
        const all = findReasons(evidence, []);
        expect(findReasons(evidence, [signal])).toEqual(all.filter((one) => one.signal !== signal));
      }),
    );
  });

  test("of an allowed network say nothing of what lists know of it", () => {
    const listed = factsOf(["tor", "vpn", "proxy", "scanner", "hosting", "threat"], 9);
    const evidence = withNetwork({ facts: listed, reservedRange: "private", tenantList: allowed });
    expect(contributionsOf({ ...evidence, agent: "browser" })).toEqual([
      ["tenant_allow_list", weights.tenantAllowList],
      ["reserved_address", 0],
    ]);
  });

  test("of an allowed network still say what agent and identity show", () => {
    const evidence: SessionEvidence = {
      ...withNetwork({ facts: factsOf(["tor"]), tenantList: allowed }),
      agent: "scripted",
      userMismatch: true,
      identity: { failedAttempts: 2, locked: true, attempts: exceedLimits(0) },
    };
    expect(signalsOf(evidence)).toEqual([
      "agent_scripted",
      "locked",
      "recent_failures",
      "tenant_allow_list",
      "user_mismatch",
      "velocity",
    ]);
  });

  test("of a denied network say all that lists know of it too", () => {
    const evidence = withNetwork({ facts: factsOf(["tor", "vpn"]), tenantList: denied });
    expect(signalsOf(evidence)).toEqual(["tenant_deny_list", "tor_exit", "vpn"]);
  });

  test("of a privacy relay leave out that it is a VPN, proxy or hosting, not threats", () => {
    const evidence = withNetwork({
      facts: factsOf(["relay", "vpn", "proxy", "cloud", "threat"], 2),
    });
    const reasons = findReasons({ ...evidence, agent: "browser" }, []);
    expect(reasons).toMatchObject([
      { signal: "threat_list", contribution: weights.threatListed[1] },
      { signal: "privacy_relay", contribution: 0 },
    ]);
  });
});
