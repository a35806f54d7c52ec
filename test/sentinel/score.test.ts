import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { agentFactsOf } from "../../src/sentinel/agent.ts";
import { compareWithHistory } from "../../src/sentinel/behaviour/behaviour.ts";
import type { Context } from "../../src/sentinel/context.ts";
import {
  type NetworkEvidence,
  reportedParts,
  type SessionEvidence,
} from "../../src/sentinel/evidence.ts";
import { kindNames } from "../../src/sentinel/kinds.ts";
import type { NetworkFacts, NetworkKind } from "../../src/sentinel/network/network-facts.ts";
import { signalNames } from "../../src/sentinel/reason.ts";
import {
  type Recommendation,
  recommend,
  recommendations,
  scoreOf,
} from "../../src/sentinel/score.ts";
import { findDeviceReasons } from "../../src/sentinel/signals/device.ts";
import { judge } from "../../src/sentinel/signals/judgement.ts";
import { findReasons } from "../../src/sentinel/signals/reasons.ts";
import {
  type AttackerKind,
  behaviourBounds,
  maxFailuresCounted,
  priorProbability,
  velocityLimits,
  weights,
} from "../../src/sentinel/weights.ts";
import {
  createLogins,
  day,
  hour,
  neutralEvidence,
  now,
  strangerContext,
  usualContext,
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

/** The names of the signals in the reasons, sorted. */
function signalsOf(evidence: SessionEvidence): string[] {
  return findReasons(evidence, [])
    .map(({ signal }) => signal)
    .toSorted();
}

/** Attempts at the limit of every window, and one above it in the given windows. */
function exceedLimits(...windows: readonly number[]): number[] {
  return velocityLimits.map(({ attempts }, index) => attempts + (windows.includes(index) ? 1 : 0));
}

/** The definition of the score, with odds instead of logarithms. */
function computeByOdds(contributions: readonly number[]): number {
  const prior = 0.05 / 0.95;
  const odds = contributions.reduce((product, one) => product * Math.E ** one, prior);
  return odds / (1 + odds);
}

const anyEvidence: fc.Arbitrary<SessionEvidence> = fc.record({
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
  networkCrowd: fc.option(
    fc.record({
      users: fc.nat(500),
      fromNetwork: fc.nat(500),
      population: fc.constantFrom({ count: 3, all: 40 }, { count: 0, all: 500 }),
    }),
    { nil: undefined },
  ),
  triedFrom: fc.option(fc.record({ blocks: fc.nat(60), networks: fc.nat(60) }), {
    nil: undefined,
  }),
  nearbyFraud: fc.option(fc.subarray([...reportedParts]), { nil: undefined }),
  userMismatch: fc.boolean(),
  identity: fc.record(
    {
      failedAttempts: fc.nat(100),
      locked: fc.boolean(),
      attempts: fc.array(fc.nat(100), { minLength: 3, maxLength: 3 }),
      status: fc.constantFrom("locked", "suspended"),
    },
    { requiredKeys: ["failedAttempts", "locked", "attempts"] },
  ),
});
const anySignalsOff = fc.subarray([...signalNames]);

const policies = fc.record({
  challengeAt: fc.double({ min: 0, max: 1, noNaN: true }),
  denyAt: fc.double({ min: 0, max: 1, noNaN: true }),
  signalsOff: anySignalsOff,
});

describe("The recommendation", () => {
  test("is bounded by the status of the user, which adds a reason and leaves the score", () => {
    fc.assert(
      fc.property(anyEvidence, policies, (evidence, policy) => {
        const { status, ...counted } = evidence.identity;
        const judged = judge(evidence, policy);
        const unbounded = judge({ ...evidence, identity: counted }, policy);
        expect(judged.riskScore).toBe(unbounded.riskScore);
        expect(scoreOf(judged.reasons)).toBe(judged.riskScore);
        const added = judged.reasons.slice(unbounded.reasons.length);
        expect(added.map(({ signal, contribution }) => [signal, contribution])).toEqual(
          status === undefined ? [] : [[`user_${status}`, 0]],
        );
        if (status === "suspended") expect(judged.recommendation).toBe("deny");
        else if (status === "locked" && unbounded.recommendation === "allow") {
          expect(judged.recommendation).toBe("challenge");
        } else expect(judged.recommendation).toBe(unbounded.recommendation);
      }),
    );
  });
});

describe("The kinds", () => {
  test("are probabilities that add up to 1, and leave the real user what the score leaves", () => {
    fc.assert(
      fc.property(anyEvidence, policies, (evidence, policy) => {
        const { riskScore, kinds } = judge(evidence, policy);
        const shares = Object.values(kinds);
        expect(Object.keys(kinds)).toEqual(kindNames);
        expect(shares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 9);
        expect(1 - kinds.real).toBeCloseTo(riskScore, 9);
        for (const share of shares) {
          expect(share).toBeGreaterThanOrEqual(0);
          expect(Number(share.toFixed(4))).toBe(share);
        }
      }),
    );
  });

  test.each<[string, Partial<SessionEvidence>, AttackerKind]>([
    [
      "many users tried from one address",
      { crowd: { fromAddress: 100, fromPrefix: 100 } },
      "stuffing",
    ],
    [
      "many users tried from one network",
      { networkCrowd: { users: 400, fromNetwork: 400 } },
      "stuffing",
    ],
    ["one user tried from many networks", { triedFrom: { blocks: 30, networks: 20 } }, "proxy"],
  ])("of %s are foremost: %j", (_, activity, kind) => {
    const policy = { challengeAt: 0.5, denyAt: 0.8, signalsOff: [] };
    const shareIn = (evidence: SessionEvidence) => {
      const { kinds, riskScore } = judge(evidence, policy);
      return kinds[kind] / riskScore;
    };
    expect(shareIn({ ...neutralEvidence, ...activity })).toBeGreaterThan(
      2 * shareIn(neutralEvidence),
    );
  });

  test("that stuff are ruled out by the user's own browser, so colleagues with a new provider are no attack", () => {
    const networkCrowd = { users: 400, fromNetwork: 400 };
    const weigh = (context: Context) => {
      const behaviour = compareWithHistory(createLogins(10, day), context, null, now);
      const reasons = findReasons({ ...neutralEvidence, context, behaviour, networkCrowd }, []);
      return reasons.find(({ signal }) => signal === "network_stuffing")?.contribution ?? 0;
    };
    const { country, asn, prefix, address } = strangerContext;
    const ownBrowser = weigh({ ...usualContext, country, asn, prefix, address });
    expect(ownBrowser).toBeLessThan(weigh(strangerContext) / 2);
  });
});

describe("A threshold by kind of attacker", () => {
  const thresholds = fc.option(fc.double({ min: 0.01, max: 0.99, noNaN: true }), {
    nil: undefined,
  });
  const byKind = fc.record({
    phisher: fc.record({ challengeAt: thresholds, denyAt: thresholds }),
    targeted: fc.record({ challengeAt: thresholds, denyAt: thresholds }),
  });
  const strictness = (recommendation: Recommendation) => recommendations.indexOf(recommendation);

  test("raises the recommendation of the score and never lowers it, and says by which kind", () => {
    fc.assert(
      fc.property(anyEvidence, policies, byKind, (evidence, policy, kinds) => {
        const { status: _status, ...identity } = evidence.identity;
        const session = { ...evidence, identity };
        const byScore = judge(session, policy);
        const judged = judge(session, { ...policy, kinds });
        const reaches = (name: "challengeAt" | "denyAt") =>
          (["phisher", "targeted"] as const).filter(
            (kind) => judged.kinds[kind] >= (kinds[kind][name] ?? 2),
          );
        const demanded = reaches("denyAt").length > 0 ? "deny" : "challenge";
        const reached = reaches(demanded === "deny" ? "denyAt" : "challengeAt");
        const isRaised =
          reached.length > 0 && strictness(demanded) > strictness(byScore.recommendation);
        expect(judged.recommendation).toBe(isRaised ? demanded : byScore.recommendation);
        expect(judged).toMatchObject({ riskScore: byScore.riskScore, kinds: byScore.kinds });
        const [added, ...others] = judged.reasons.slice(byScore.reasons.length);
        expect(others).toEqual([]);
        expect(added?.signal).toBe(isRaised ? "kind_threshold" : undefined);
        for (const kind of isRaised ? reached : []) {
          expect(added?.contribution).toBe(0);
          expect(added?.detail).toContain(`${kind} (${judged.kinds[kind]}, from`);
        }
      }),
    );
  });

  test("leaves the fixed result of a test address, and the rules for locked and suspended users", () => {
    const policy = {
      challengeAt: 0.5,
      denyAt: 0.8,
      signalsOff: [],
      kinds: { proxy: { denyAt: 1e-6 } },
    };
    const network = { ...neutralEvidence.network, testResult: "allow" as const };
    expect(judge({ ...neutralEvidence, network }, policy).recommendation).toBe("allow");
    const identity = { ...neutralEvidence.identity, status: "locked" as const };
    const { recommendation, reasons } = judge({ ...neutralEvidence, identity }, policy);
    expect(recommendation).toBe("deny");
    expect(reasons.map(({ signal }) => signal)).toEqual(["kind_threshold", "user_locked"]);
  });
});

describe("A test address", () => {
  test("gives the fixed score and recommendation for one reason, whatever else is found", () => {
    const scores = { allow: 0.05, challenge: 0.65, deny: 0.95 };
    fc.assert(
      fc.property(
        ...[anyEvidence, policies, fc.constantFrom(...recommendations)],
        (evidence, policy, testResult) => {
          const { status: _status, ...identity } = evidence.identity;
          const network = { ...evidence.network, testResult };
          const judged = judge({ ...evidence, identity, network }, policy);
          expect(judged.recommendation).toBe(testResult);
          expect(judged.riskScore).toBe(scores[testResult]);
          expect(judged.reasons.map(({ signal }) => signal)).toEqual(["test_address"]);
          expect(scoreOf(judged.reasons)).toBe(judged.riskScore);
        },
      ),
    );
  });
});

describe("The score", () => {
  test("is exactly 0.05 for the source document's sample, which is allowed", () => {
    const reasons = findReasons(
      { ...neutralEvidence, agent: agentFactsOf("EnterpriseAgent/1.0").kind },
      [],
    );
    expect(reasons).toEqual([]);
    expect(scoreOf(reasons)).toBe(0.05);
    expect(recommend(0.05, { challengeAt: 0.5, denyAt: 0.8 })).toBe("allow");
    expect(priorProbability).toBe(0.05);
  });

  test("equals the score recomputed from the reasons, to four decimals", () => {
    fc.assert(
      fc.property(anyEvidence, anySignalsOff, (evidence, off) => {
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

  test("stays between 0 and 1 for extreme contributions", () => {
    expect(scoreOf([{ contribution: 1_000 }])).toBe(1);
    expect(scoreOf([{ contribution: -1_000 }])).toBe(0);
  });
});

describe("The recommendation", () => {
  const policy = { challengeAt: 0.5, denyAt: 0.8 };

  test.each([
    [0, "allow"],
    [0.05, "allow"],
    [0.4999, "allow"],
    [0.5, "challenge"],
    [0.7999, "challenge"],
    [0.8, "deny"],
    [1, "deny"],
  ])("for a score of %f is %s", (score, recommendation) => {
    expect(recommend(score, policy)).toBe(recommendation);
  });

  test("is never challenge when both thresholds are equal", () => {
    const equal = { challengeAt: 0.6, denyAt: 0.6 };
    expect(recommend(0.5999, equal)).toBe("allow");
    expect(recommend(0.6, equal)).toBe("deny");
  });

  test("changes exactly at the score in the answer", () => {
    fc.assert(
      fc.property(anyEvidence, (evidence) => {
        const score = scoreOf(findReasons(evidence, []));
        fc.pre(score > 0 && score < 1);
        expect(recommend(score, { challengeAt: score, denyAt: 1 })).toBe("challenge");
        expect(recommend(score, { challengeAt: 0, denyAt: score })).toBe("deny");
        expect(recommend(score, { challengeAt: score + 1e-4, denyAt: 1 })).toBe("allow");
      }),
    );
  });

  test("for a script behind Tor is deny", () => {
    const reasons = findReasons(
      { ...withKinds("tor"), agent: agentFactsOf("curl/8.7.1").kind },
      [],
    );
    expect(reasons.map(({ signal }) => signal)).toEqual(["tor_exit", "agent_scripted"]);
    expect(recommend(scoreOf(reasons), policy)).toBe("deny");
  });

  test("for Tor alone is challenge, for a script alone allow", () => {
    expect(recommend(scoreOf(findReasons(withKinds("tor"), [])), policy)).toBe("challenge");
    const scripted = findReasons({ ...neutralEvidence, agent: "scripted" }, []);
    expect(recommend(scoreOf(scripted), policy)).toBe("allow");
  });

  test("for an address on the tenant's deny list is deny", () => {
    const reasons = findReasons(withNetwork({ tenantList: denied }), []);
    expect(recommend(scoreOf(reasons), policy)).toBe("deny");
  });
});

describe("The signals:", () => {
  const withIdentity = (changes: Partial<SessionEvidence["identity"]>): SessionEvidence => ({
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
    ["recent_failures", withIdentity({ failedAttempts: 1 }), weights.failedAttempt],
    ["locked", withIdentity({ locked: true }), weights.locked],
    ["velocity", withIdentity({ attempts: exceedLimits(0) }), weights.velocity],
    ["agent_impossible", { ...neutralEvidence, agent: "impossible" }, weights.agentImpossible],
    ["agent_switch", { ...neutralEvidence, agentSwitched: true }, weights.agentSwitch],
    [
      "impossible_travel",
      {
        ...neutralEvidence,
        context: { ...usualContext, device: "mobile" },
        travel: { kilometres: 9_000, hours: 2 },
      },
      weights.impossibleTravel.alone,
    ],
    ["reported_fraud", { ...neutralEvidence, reported: ["agent"] }, weights.reportedFraud.agent],
    ["nearby_fraud", { ...neutralEvidence, nearbyFraud: ["agent"] }, weights.nearbyFraud.agent],
    [
      "many_networks",
      { ...neutralEvidence, triedFrom: { blocks: 5, networks: 1 } },
      weights.manyNetworks.blocks[0].contribution,
    ],
    [
      "network_stuffing",
      {
        ...neutralEvidence,
        networkCrowd: { users: 24, fromNetwork: 24, population: { count: 0, all: 80 } },
      },
      weights.networkStuffing.steps[0].contribution,
    ],
    [
      "credential_stuffing",
      { ...neutralEvidence, crowd: { fromAddress: 5, fromPrefix: 5 } },
      weights.stuffing.address[0].contribution,
    ],
    [
      "known_device",
      { ...neutralEvidence, device: { known: true, sinceVerifiedMs: 0 } },
      weights.knownDevice.now,
    ],
    [
      "no_known_device",
      { ...neutralEvidence, device: { known: false } },
      weights.noKnownDevice.alone,
    ],
    [
      "gradual_change",
      {
        ...neutralEvidence,
        settled:
          compareWithHistory(createLogins(90, 8 * day), strangerContext, null, now) ?? undefined,
        networksSince: 2,
      },
      weights.gradualChange.max,
    ],
  ];
  const habits = ["network_history", "agent_history", "hour_of_week"];

  test("every signal is tested alone below or is one of the three about habits", () => {
    // The facts about the client have their own tests (client-fields.test.ts).
    const names = [...alone.map(([signal]) => signal), ...habits, "client_history"];
    expect(names.toSorted()).toEqual([...signalNames].toSorted());
  });

  test("habits give up to three reasons, and each can be switched off", () => {
    const behaviour = compareWithHistory(createLogins(10, 3 * hour), strangerContext, null, now);
    const evidence = { ...neutralEvidence, context: strangerContext, behaviour };
    expect(signalsOf(evidence)).toEqual(habits.toSorted());
    for (const signal of habits) {
      const others = findReasons(evidence, [signal]).map((one) => one.signal);
      expect(others.toSorted()).toEqual(habits.filter((one) => one !== signal).toSorted());
    }
    const [reason] = findReasons(evidence, ["agent_history", "hour_of_week"]);
    expect(reason?.detail).toBe(
      "New country, 3 hours after the last of 10 confirmed sessions: this is likelier of an attacker than of the user.",
    );
    expect(reason?.contribution).toBeGreaterThan(1);
  });

  test.each([
    { own: 1.2, population: 3, frequency: "less" },
    { own: 0.8, population: 0.3, frequency: "more" },
  ])(
    "an hour with share $own for the user and $population for all is described as $frequency common",
    (given) => {
      const compared = compareWithHistory(createLogins(10, 3 * hour), usualContext, null, now);
      if (compared === null) throw new Error("The history is empty");
      const behaviour = { ...compared, hour: { own: given.own, population: given.population } };
      const reasons = findReasons({ ...neutralEvidence, behaviour }, []);
      const reason = reasons.find(({ signal }) => signal === "hour_of_week");
      expect(Math.sign(reason?.contribution ?? 0)).toBe(given.frequency === "more" ? -1 : 1);
      expect(reason?.detail).toContain(` ${given.frequency} often `);
    },
  );

  test("users of the session's own block count once, at the address and not in the network", () => {
    const office = { users: 37, fromNetwork: 37 };
    const found = (crowd: SessionEvidence["crowd"]) =>
      findReasons({ ...neutralEvidence, crowd, networkCrowd: office }, []).map(
        ({ signal }) => signal,
      );
    expect(found({ fromAddress: 37, fromPrefix: 37 })).toEqual(["credential_stuffing"]);
  });

  test("many users at an address weigh by their number, and less at an address that this user knows", () => {
    const weighCrowd = (fromAddress: number, fromPrefix: number) =>
      findReasons({ ...neutralEvidence, crowd: { fromAddress, fromPrefix } }, [])[0]
        ?.contribution ?? 0;
    const byAddress = [4, 5, 10, 25, 100].map((count) => weighCrowd(count, count));
    expect(byAddress[0]).toBe(0);
    expect(byAddress).toEqual(byAddress.toSorted((left, right) => left - right));
    expect(weighCrowd(1, 14)).toBe(0);
    expect(weighCrowd(1, 100)).toBeGreaterThan(weighCrowd(1, 15));
    const familiar = compareWithHistory(createLogins(10, 3 * hour), usualContext, null, now);
    const [office] = findReasons(
      { ...neutralEvidence, behaviour: familiar, crowd: { fromAddress: 100, fromPrefix: 100 } },
      signalNames.filter((name) => name !== "credential_stuffing"),
    );
    expect(office?.contribution).toBeLessThan(weighCrowd(100, 100) / 2);
  });

  test("a VPN and a hosting network on the same address are one finding", () => {
    const both = { ...withKinds("vpn", "hosting"), agent: "browser" as const };
    expect(signalsOf(both)).toEqual(["vpn"]);
    expect(scoreOf(findReasons(both, []))).toBe(scoreOf(findReasons(withKinds("vpn"), [])));
  });

  test("an exit and a relay weigh by how often this user comes from there", () => {
    const weigh = (kind: "vpn" | "relay", usual: boolean) => {
      const context = { ...usualContext, ...(usual ? { placeHidden: true, prefix: null } : {}) };
      const behaviour = compareWithHistory(createLogins(10, day, context), context, null, now);
      const reasons = findReasons({ ...withKinds(kind), behaviour }, []);
      const signal = kind === "vpn" ? "vpn" : "privacy_relay";
      return reasons.find((one) => one.signal === signal)?.contribution ?? 0;
    };
    expect(weigh("vpn", false)).toBe(weights.exits.max);
    expect(weigh("vpn", true)).toBe(0);
    expect(weigh("relay", false)).toBeGreaterThan(0);
    expect(weigh("relay", true)).toBe(0);
  });

  test("a relay or a reserved address that is new to a user of some logins is evidence", () => {
    const hidden: Context = { ...usualContext, placeHidden: true, prefix: null, address: null };
    const sessions = [
      ["privacy_relay", withKinds("relay")],
      ["reserved_address", withNetwork({ reservedRange: "private" })],
    ] as const;
    for (const [name, evidence] of sessions) {
      const weigh = (context: Context, logins: number) => {
        const behaviour = compareWithHistory(createLogins(logins, day, context), hidden, null, now);
        const reasons = findReasons({ ...evidence, context: hidden, behaviour }, []);
        return reasons.find(({ signal }) => signal === name);
      };
      const found = weigh(usualContext, 10);
      expect(found?.contribution).toBeGreaterThan(0.5);
      expect(found?.detail).toContain("from which 0 of this user's 10 sessions came");
      expect(weigh(hidden, 10)?.contribution).toBe(0);
      expect(weigh(usualContext, 2)?.contribution).toBe(0);
    }
  });

  test("the words of a reason about habits are on the side of its sign", () => {
    fc.assert(
      fc.property(anyEvidence, (evidence) => {
        for (const { signal, contribution, detail } of findReasons(evidence, [])) {
          if (signal !== "network_history" && signal !== "agent_history") continue;
          const side = contribution < 0 ? "likelier of the user" : "likelier of an attacker";
          expect(detail).toContain(side);
        }
      }),
    );
  });

  test("many users behind a privacy relay give only the relay's own reason", () => {
    const evidence = { ...withKinds("relay"), crowd: { fromAddress: 500, fromPrefix: 500 } };
    expect(signalsOf(evidence)).toEqual(["privacy_relay"]);
  });

  test("a reported fraud weighs by the most specific part that the session shares with it", () => {
    const weighShared = (...reported: SessionEvidence["reported"]) =>
      findReasons({ ...neutralEvidence, reported }, [])[0]?.contribution;
    expect(weighShared("address", "prefix", "agent")).toBe(weights.reportedFraud.address);
    expect(weighShared("prefix", "agent")).toBe(weights.reportedFraud.prefix);
  });

  test.each(alone)("%s contributes its weight and a sentence", (signal, evidence, weight) => {
    const reasons = findReasons(evidence, []);
    expect(reasons).toMatchObject([{ signal, contribution: weight }]);
    expect(reasons[0]?.detail).toMatch(/^\S.*\.$/);
    expect(scoreOf(reasons)).toBeCloseTo(computeByOdds([weight]), 4);
  });

  test.each(alone)("%s contributes nothing when it is switched off", (signal, evidence) => {
    expect(findReasons(evidence, [signal])).toEqual([]);
    const others = signalNames.filter((name) => name !== signal);
    expect(findReasons(evidence, others)).toHaveLength(1);
  });

  test("threat lists weigh more the more lists name the address, up to the last weight", () => {
    const given = Array.from({ length: 15 }, (_, index) => {
      const [reason] = findReasons(withNetwork({ facts: factsOf(["threat"], index + 1) }), []);
      return reason?.contribution ?? 0;
    });
    const known = weights.threatListed.length;
    expect(given.slice(0, known)).toEqual(weights.threatListed);
    expect(given).toEqual(given.toSorted((left, right) => left - right));
    expect(new Set(given.slice(known - 1))).toEqual(new Set(weights.threatListed.slice(-1)));
  });

  test("failures weigh by their number, up to five", () => {
    expect(maxFailuresCounted).toBe(5);
    for (const failedAttempts of [0, 1, 2, 3, 4, 5, 6, 100]) {
      const [reason] = findReasons(withIdentity({ failedAttempts }), []);
      const counted = Math.min(failedAttempts, 5);
      expect(reason?.contribution ?? 0).toBeCloseTo(counted * weights.failedAttempt, 10);
    }
  });

  test("velocity weighs by the number of windows whose limit is exceeded", () => {
    const weighVelocity = (attempts: readonly number[]) =>
      findReasons(withIdentity({ attempts }), [])[0]?.contribution ?? 0;
    expect(weighVelocity(exceedLimits())).toBe(0);
    expect(weighVelocity(exceedLimits(0))).toBe(weights.velocity);
    expect(weighVelocity(exceedLimits(1))).toBe(weights.velocity);
    expect(weighVelocity(exceedLimits(2))).toBe(weights.velocity);
    expect(weighVelocity(exceedLimits(0, 2))).toBe(2 * weights.velocity);
    expect(weighVelocity(exceedLimits(0, 1, 2))).toBe(3 * weights.velocity);
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

  test("a network of several hosting kinds counts once", () => {
    const hosted = { ...withKinds("hosting", "cloud", "crawler"), agent: "browser" as const };
    expect(contributionsOf(hosted)).toEqual([["hosting_network", weights.hostingWithBrowser]]);
  });
});

describe("The reasons", () => {
  test("start with the strongest, for or against the session, and name no signal twice", () => {
    fc.assert(
      fc.property(anyEvidence, anySignalsOff, (evidence, off) => {
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
      fc.property(anyEvidence, (evidence) => {
        expect(findReasons(evidence, signalNames)).toEqual([]);
        expect(scoreOf(findReasons(evidence, signalNames))).toBe(0.05);
      }),
    );
  });

  test("lack only a signal that is switched off, unless that signal makes others be left out", () => {
    fc.assert(
      fc.property(anyEvidence, fc.constantFrom(...signalNames), (evidence, signal) => {
        // The contribution of one habit depends on the other habits.
        const isIndependent = !["network_history", "agent_history", "hour_of_week"].includes(
          signal,
        );
        fc.pre(signal !== "tenant_allow_list" && signal !== "privacy_relay" && isIndependent);
        // A journey that no person can make contributes what the others lack to a challenge.
        const isOther = (name: string) => name !== signal && name !== "impossible_travel";
        const all = findReasons(evidence, []);
        const some = findReasons(evidence, [signal]);
        expect(some.map((one) => one.signal)).not.toContain(signal);
        expect(some.filter((one) => isOther(one.signal))).toEqual(
          all.filter((one) => isOther(one.signal)),
        );
      }),
      { numRuns: 300 },
    );
  });

  test("for an allowed network omit what the lists know of it", () => {
    const listed = factsOf(["tor", "vpn", "proxy", "scanner", "hosting", "threat"], 9);
    const evidence = withNetwork({ facts: listed, reservedRange: "private", tenantList: allowed });
    expect(contributionsOf({ ...evidence, agent: "browser" })).toEqual([
      ["tenant_allow_list", weights.tenantAllowList],
      ["reserved_address", 0],
    ]);
  });

  test("for an allowed network still include those of agent and identity", () => {
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

  test("for a denied network also include what the lists know of it", () => {
    const evidence = withNetwork({ facts: factsOf(["tor", "vpn"]), tenantList: denied });
    expect(signalsOf(evidence)).toEqual(["tenant_deny_list", "tor_exit", "vpn"]);
  });

  test("for a privacy relay include threats, but omit VPN, proxy and hosting", () => {
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

describe("The known devices of a user", () => {
  const policy = { challengeAt: 0.5, denyAt: 0.8, signalsOff: [] };
  const known = (sinceVerifiedMs: number): SessionEvidence => ({
    ...neutralEvidence,
    device: { known: true, id: "01a20a4597691de6cc1dbcad", sinceVerifiedMs },
  });
  const missing = { known: false };

  test("are the strongest evidence for a session, less so as the last second factor ages", () => {
    expect(contributionsOf(known(0))).toEqual([["known_device", -5]]);
    expect(contributionsOf(known(30 * day))).toEqual([["known_device", -4.25]]);
    expect(contributionsOf(known(400 * day))).toEqual([["known_device", -3.5001]]);
    expect(findReasons(known(3 * day), [])[0]?.detail).toContain("3 days ago");
    expect(findReasons(known(hour), [])[0]?.detail).toContain("less than a day ago");
    expect(contributionsOf(known(0), ["known_device"])).toEqual([]);
    const strongest = Math.min(weights.tenantAllowList, behaviourBounds.min);
    expect(weights.knownDevice.now).toBeLessThan(strongest);
  });

  test("outweigh a new network, but not the lists of the tenant", () => {
    const behaviour = compareWithHistory(createLogins(30, day), strangerContext, null, now);
    const { device } = known(day);
    const abroad = { ...neutralEvidence, behaviour, context: strangerContext };
    expect(judge(abroad, policy).recommendation).not.toBe("allow");
    expect(judge({ ...abroad, device }, policy).recommendation).toBe("allow");
    expect(
      judge({ ...withNetwork({ tenantList: denied }), device }, policy).recommendation,
    ).not.toBe("allow");
  });

  test("are missed, and together with new habits lead to a challenge at most", () => {
    const contribution = (context: Context): Record<string, number> => {
      const behaviour = compareWithHistory(createLogins(30, day), context, null, now);
      const evidence = { ...neutralEvidence, behaviour, device: missing };
      return Object.fromEntries(contributionsOf(evidence));
    };
    const { alone, withHabits } = weights.noKnownDevice;
    expect(contributionsOf({ ...neutralEvidence, device: missing })).toEqual([
      ["no_known_device", alone],
    ]);
    // Whoever imitates the user's habits has no token.
    expect(contribution(usualContext).no_known_device).toBe(alone);
    const weighBeside = (habits: number) => findDeviceReasons(missing, habits)[0]?.contribution;
    expect(weighBeside(withHabits - alone)).toBeCloseTo(alone, 9);
    expect(weighBeside(withHabits - alone / 2)).toBeCloseTo(alone / 2, 9);
    expect(weighBeside(withHabits + 1)).toBe(0);
    const score = scoreOf([{ contribution: withHabits }]);
    expect(recommend(score, policy)).toBe("challenge");
    expect(contribution(strangerContext)).not.toHaveProperty("no_known_device");
  });

  test("deny no session that would not be denied without them, such as one on a new browser", () => {
    const newBrowser = { browser: "Firefox 140", agent: "agent-9" };
    const newVersion = { browser: "Chrome 139", agent: "agent-2" };
    const newPhone = { device: "mobile", os: "iOS", browser: "Safari 26", agent: "agent-9" };
    const newBlock = { address: "address-9", prefix: "prefix-9" };
    const agents = [{}, newBrowser, newVersion, newPhone];
    const networks = [{}, { address: "address-9" }, newBlock, { ...newBlock, asn: 224 }];
    for (const logins of [1, 5, 30]) {
      for (const changes of agents.flatMap((one) => networks.map((other) => [one, other]))) {
        const context: Context = Object.assign({}, usualContext, ...changes);
        const behaviour = compareWithHistory(createLogins(logins, day), context, null, now);
        const evidence = { ...neutralEvidence, behaviour, context };
        const { recommendation } = judge({ ...evidence, device: missing }, policy);
        const without = judge(evidence, policy).recommendation;
        expect(recommendation === "deny").toBe(without === "deny");
      }
    }
  });
});
