/** Random sessions with every kind of evidence, for tests of what is true of all of them. */
import fc from "fast-check";
import type { RiskPolicy } from "../../../src/sentinel/assessment.ts";
import {
  compareWithHistory,
  compareWithSettled,
} from "../../../src/sentinel/behaviour/behaviour.ts";
import type { Context } from "../../../src/sentinel/context.ts";
import {
  agentKinds,
  type BehaviourEvidence,
  type LevelEvidence,
  reportedParts,
  type SessionEvidence,
} from "../../../src/sentinel/evidence.ts";
import { selectLearned } from "../../../src/sentinel/history.ts";
import { networkKinds } from "../../../src/sentinel/network/network-facts.ts";
import { countPopulation } from "../../../src/sentinel/population/population.ts";
import { signalNames } from "../../../src/sentinel/reason.ts";
import { recommendations } from "../../../src/sentinel/score.ts";
import { createSession, day, neutralEvidence, now } from "../example.ts";

const few = fc.constantFrom("a", "b", "c");
const often = <T>(usual: T, others: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 4 }, { arbitrary: others, weight: 1 });

const contexts: fc.Arbitrary<Context> = fc
  .record({
    country: fc.constantFrom("NO", "NO", "BR", "JP"),
    asn: fc.integer({ min: 1, max: 2 }),
    pool: few,
    prefix: few,
    address: few,
    device: fc.constantFrom("desktop", "mobile"),
    os: fc.constantFrom("Windows", "Android"),
    browser: fc.constantFrom("Chrome 138", "Chrome 139", "Firefox 140"),
    agent: few,
    placeHidden: often(false, fc.constant(true)),
    hidden: often("none" as const, fc.constantFrom("geography", "all", "agent")),
    client: fc.record(
      { timeZone: few, acceptLanguage: few, clientHints: few, ja4: few },
      { requiredKeys: [] },
    ),
  })
  .map(({ hidden, client, ...one }) => {
    const asn = one.asn + one.country.charCodeAt(0);
    const pool = `${asn}/${one.pool}`;
    const prefix = `${pool}/${one.prefix}`;
    const agent = `${one.device}/${one.os}/${one.browser}/${one.agent}`;
    const context = {
      ...one,
      asn,
      pool,
      prefix,
      address: `${prefix}/${one.address}`,
      agent,
      ...client,
    };
    if (hidden === "geography") return { ...context, country: null, asn: null };
    if (hidden === "agent") return { ...context, device: null, os: null, browser: null };
    if (hidden === "none") return context;
    return { ...context, country: null, asn: null, pool: null, prefix: null, address: null };
  });

const verdicts = fc.constantFrom("legitimate" as const, null);
const sessions = fc.record({
  ago: fc.integer({ min: 60_000, max: 90 * day }),
  context: contexts,
  verdict: verdicts,
  risk: fc.record({
    score: fc.constant(0.1),
    recommendation: often("allow" as const, fc.constant("challenge")),
  }),
});

/** Sessions of one user; some users have confirmed none of theirs, and some repeat one of a few contexts. */
const histories = fc
  .record({
    all: fc.array(sessions, { maxLength: 14 }),
    usual: fc.array(contexts, { minLength: 1, maxLength: 2 }),
    repeats: fc.nat(30),
    isUnconfirmed: fc.boolean(),
  })
  .map(({ all, usual, repeats, isUnconfirmed }) => {
    const repeated = Array.from({ length: repeats }, (_, n) => ({
      ago: (n + 1) * day,
      context: usual[n % usual.length] ?? null,
      verdict: "legitimate" as const,
      risk: { score: 0.1, recommendation: "allow" as const },
    })).flatMap(({ context, ...one }) => (context === null ? [] : [{ ...one, context }]));
    return [...all, ...repeated]
      .toSorted((left, right) => right.ago - left.ago)
      .map(({ ago, context, verdict, risk }, n) =>
        createSession({
          id: `s${n}`,
          at: now - ago,
          verdict: isUnconfirmed ? null : verdict,
          context,
          risk: isUnconfirmed ? { score: 0.1, recommendation: "allow" } : risk,
        }),
      );
  });

/** Tenants with few and many users. Most of their sessions are at home, and some in another block. */
const populations = fc.constantFrom(
  null,
  ...[30, 300].map((sessionCount) =>
    countPopulation(
      fc.sample(contexts, { numRuns: sessionCount, seed: sessionCount }).map((home, n) => {
        const at = now - n * day;
        const before = createSession({ id: "before", at: at - day, context: home });
        const context = n % 3 === 0 ? { ...home, prefix: `${home.pool}/a`, address: "new" } : home;
        const behaviour = compareWithHistory([before], context, null, at);
        return { identityId: `i${n}`, at, context, behaviour };
      }),
      now,
    ),
  ),
);

const counts = (max: number) => fc.integer({ min: 0, max });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => often<T | undefined>(undefined, arbitrary);

const others = fc.record({
  agent: fc.constantFrom("browser" as const, ...agentKinds),
  agentSwitched: often(false, fc.constant(true)),
  userMismatch: often(false, fc.constant(true)),
  identity: fc.record({
    failedAttempts: often(0, counts(8)),
    locked: often(false, fc.constant(true)),
    attempts: fc.constantFrom([1, 1, 1], [25, 25, 25], [25, 70, 95]),
    status: optional(fc.constantFrom("locked" as const, "suspended" as const)),
  }),
  travel: often<SessionEvidence["travel"]>(
    null,
    fc.record({ kilometres: fc.constant(8_000), hours: fc.constant(2) }),
  ),
  reported: often<readonly (typeof reportedParts)[number][]>([], fc.subarray([...reportedParts])),
  nearbyFraud: optional(fc.subarray([...reportedParts], { minLength: 1 })),
  crowd: often<SessionEvidence["crowd"]>(
    null,
    fc.record({ fromAddress: counts(130), fromPrefix: counts(130) }),
  ),
  device: optional(
    fc.oneof(
      fc.record({ known: fc.constant(true), sinceVerifiedMs: counts(100 * day) }),
      fc.constant({ known: false }),
    ),
  ),
  networkCrowd: optional(
    fc.record({
      users: fc.constant(60),
      fromNetwork: counts(60),
      population: optional(fc.constant({ count: 30, all: 400 })),
    }),
  ),
  triedFrom: optional(fc.record({ blocks: counts(35), networks: counts(25) })),
});

const networks: fc.Arbitrary<SessionEvidence["network"]> = fc
  .record({
    kinds: often<readonly (typeof networkKinds)[number][]>([], fc.subarray([...networkKinds])),
    threatGrade: often(0, counts(15)),
    reservedRange: often<string | null>(null, fc.constant("private")),
    list: often<"allow" | "deny" | null>(null, fc.constantFrom("allow" as const, "deny" as const)),
    testResult: fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 30 },
      { arbitrary: fc.constantFrom(...recommendations), weight: 1 },
    ),
  })
  .map(({ kinds, threatGrade, reservedRange, list, testResult }) => ({
    ...neutralEvidence.network,
    facts: { kinds, threatGrade },
    reservedRange,
    tenantList: list === null ? null : { list, entry: "entry", network: null },
    ...(testResult === undefined ? {} : { testResult }),
  }));

const policies: fc.Arbitrary<RiskPolicy> = fc.record({
  challengeAt: fc.constant(0.5),
  denyAt: fc.constant(0.8),
  signalsOff: often<readonly string[]>([], fc.subarray([...signalNames], { maxLength: 4 })),
  kinds: fc.constant({ phisher: { challengeAt: 0.2 } }),
});

/** A network that no history has. */
const elsewhere = { country: "NZ", asn: 99, pool: "x", prefix: "x", address: "x" };

/** What the first builds of the model stored of a comparison: they counted all platforms together. */
function asFirstStored(behaviour: BehaviourEvidence | null): BehaviourEvidence | null {
  if (behaviour === null) return null;
  const { logins, sinceLastMs, network, agent, hour } = behaviour;
  const toFirst = ({ level, seen, own, population, ownNovelty, novelty }: LevelEvidence) => {
    return { level, seen, own, population, ownNovelty, novelty };
  };
  return { logins, sinceLastMs, network: network.map(toFirst), agent: agent.map(toFirst), hour };
}

/** A session, and the policy under which it was assessed. */
export const assessedSessions: fc.Arbitrary<{
  readonly evidence: SessionEvidence;
  readonly policy: RiskPolicy;
}> = fc
  .record({
    history: histories,
    other: contexts,
    index: fc.nat(40),
    population: populations,
    others,
    network: networks,
    policy: policies,
    isFirstForm: often(false, fc.constant(true)),
    isElsewhere: fc.boolean(),
  })
  .map(
    ({
      isFirstForm,
      isElsewhere,
      history,
      other,
      index,
      population,
      others: evidence,
      network,
      policy,
    }) => {
      const known = history[index]?.context ?? other;
      const context = isElsewhere ? { ...known, ...elsewhere } : known;
      const learned = selectLearned(history, now);
      const behaviour = compareWithHistory(learned, context, population, now);
      return {
        policy,
        evidence: {
          ...neutralEvidence,
          ...evidence,
          network,
          context,
          behaviour: isFirstForm ? asFirstStored(behaviour) : behaviour,
          ...compareWithSettled(learned, context, population, now),
        },
      };
    },
  );
