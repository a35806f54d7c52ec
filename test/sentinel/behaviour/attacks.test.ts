/** What an independent evaluation got past sentinel-2: each test failed there. */
import { describe, expect, test } from "vitest";
import type { Context } from "../../../src/sentinel/context.ts";
import type { SessionEvidence } from "../../../src/sentinel/evidence.ts";
import { judge } from "../../../src/sentinel/signals/judgement.ts";
import { createLogins, day, hour, now, strangerContext, usualContext } from "../example.ts";
import { assessWith, SessionCourse } from "../sessions.ts";

const home: Context = { ...usualContext, pool: "pool-1" };
const brazil: Context = { ...strangerContext, pool: "pool-9" };
/** The user's own browser, relayed from networks ever farther away. */
const newPrefix: Context = { ...home, prefix: "prefix-2", address: "address-2" };
const newPool: Context = { ...newPrefix, pool: "pool-2" };
const newProvider: Context = { ...newPool, asn: 41164 };
const japan: Context = { ...newProvider, country: "JP", asn: 2516 };

function scoreOf(history: Parameters<typeof assessWith>[0], context: Context, at = now): number {
  return assessWith(history, context, at).assessment.riskScore;
}

describe("A tenant that confirms nothing", () => {
  /** Daily sessions that nobody confirms or reports. */
  function liveQuietly(days: number, context = home): SessionCourse {
    const course = new SessionCourse();
    for (let n = 0; n < days; n += 1) course.assess(context, now + n * day);
    return course;
  }

  test.each([
    ["with", (context: Context) => context],
    ["without", (context: Context): Context => ({ ...context, country: null, asn: null })],
  ])("is warned of Brazil after 30 ordinary logins, %s geography", (_, seenAs) => {
    const course = liveQuietly(30, seenAs(home));
    const at = now + 30 * day;
    const { riskScore, recommendation, reasons } = course.assess(seenAs(brazil), at);
    // Nobody is denied for a history that nobody confirmed.
    expect(recommendation).toBe("challenge");
    expect(riskScore).toBeGreaterThan(0.5);
    expect(reasons.map(({ detail }) => detail).join()).toContain("allowed and never reported");
  });

  test("gets less trust for such logins, however many, than for one confirmed login", () => {
    const course = liveQuietly(30);
    const quiet = scoreOf(course.history, home, now + 31 * day);
    expect(quiet).toBeLessThan(0.05);
    course.confirm(now + 29 * day);
    expect(scoreOf(course.history, home, now + 31 * day)).toBeLessThan(quiet);
  });

  test("is challenged for whatever is challenged without such logins, until one is confirmed", () => {
    const course = liveQuietly(30);
    const { evidence, policy } = course.assess(home, now + 30 * day);
    const judgeWith = (changes: Partial<SessionEvidence>) =>
      judge({ ...evidence, ...changes }, policy);
    const odd = { agent: "empty", userMismatch: true } as const;
    expect(judgeWith({ ...odd, behaviour: null }).recommendation).toBe("challenge");
    expect(judgeWith(odd).recommendation).toBe("challenge");
    expect(judgeWith(odd).riskScore).toBeLessThan(judgeWith({ ...odd, behaviour: null }).riskScore);
    // Evidence that leads to no challenge by itself is weakened as before.
    const { agent: _agent, ...mismatch } = odd;
    expect(judgeWith(mismatch).riskScore).toBeLessThan(
      judgeWith({ ...mismatch, behaviour: null }).riskScore / 2,
    );
    course.confirm(now + 30 * day);
    const { behaviour } = course.assess(home, now + 31 * day).evidence;
    expect(judgeWith({ ...odd, behaviour }).recommendation).toBe("allow");
  });

  test("gains nothing for an address that only such logins know beside confirmed ones, and loses nothing", () => {
    const quiet = createLogins(1, 2 * day, newPrefix).map((one) => ({
      ...one,
      id: "quiet",
      verdict: null,
      risk: { score: 0.1, recommendation: "allow" } as const,
    }));
    const history = [...createLogins(10, 3 * day, home), ...quiet];
    const [atHome, known, nextDoor] = [home, newPrefix, { ...newPrefix, address: "address-3" }].map(
      (one) => scoreOf(history, one),
    );
    expect(known).toBeGreaterThan(Number(atHome));
    expect(known).toBeLessThanOrEqual(Number(nextDoor));
  });

  test("has learned a session a day later, without a further write, and never a challenged one", () => {
    const course = new SessionCourse();
    course.assess(home, now);
    expect(scoreOf(course.history, home, now + day - 1)).toBe(0.05);
    expect(scoreOf(course.history, home, now + day)).toBeLessThan(0.05);
    const [session] = course.history;
    if (session === undefined) throw new Error("The session is missing");
    const risk = { score: 0.6, recommendation: "challenge" } as const;
    expect(scoreOf([{ ...session, risk }], home, now + day)).toBe(0.05);
  });

  test("keeps one such session a day, the newest twelve", () => {
    const course = new SessionCourse();
    for (let n = 0; n < 20 * 8; n += 1) course.assess(home, now + n * 3 * hour);
    course.assess(home, now + 22 * day);
    const weak = course.history.filter(({ at }) => at <= now + 21 * day);
    expect(weak).toHaveLength(12);
    expect(new Set(weak.map(({ at }) => Math.floor(at / day))).size).toBe(12);
  });
});

describe("One phished code", () => {
  test("does not make the attacker a friend; a second confirmation does", () => {
    const course = new SessionCourse();
    course.history = createLogins(40, day, home);
    const first = course.assess(brazil, now);
    expect(first.recommendation).toBe("deny");
    course.confirm(now + 60_000);
    const second = course.assess(brazil, now + hour);
    expect(second.recommendation).not.toBe("allow");
    expect(second.riskScore).toBeGreaterThan(0.5);
    course.confirm(now + hour + 60_000);
    expect(course.assess(brazil, now + 2 * hour).riskScore).toBeLessThan(0.05);
  });

  test("counts for the user after 72 hours", () => {
    const [session] = createLogins(1, 71 * hour, newPool);
    if (session === undefined) throw new Error("The session is missing");
    const challenged = { ...session, risk: { score: 0.7, recommendation: "challenge" } as const };
    const known = createLogins(10, 4 * day, home);
    const before = scoreOf([...known, challenged], newPool);
    const after = scoreOf([...known, challenged], newPool, now + 2 * hour);
    expect(after).toBeLessThan(before / 2);
  });

  test("leaves the user's own sessions as they were", () => {
    const [session] = createLogins(1, hour, brazil);
    if (session === undefined) throw new Error("The session is missing");
    const challenged = { ...session, risk: { score: 0.9, recommendation: "deny" } as const };
    const known = createLogins(10, day, home);
    expect(scoreOf([...known, challenged], home)).toBe(scoreOf(known, home));
  });
});

test("six small daily steps from one continent to another are not allowed throughout", () => {
  const course = new SessionCourse();
  course.history = createLogins(30, 8 * day, home);
  const steps: Context[] = [
    newPrefix,
    newPool,
    newProvider,
    { ...japan, browser: "Chrome 138" },
    { ...japan, browser: "Firefox 140", agent: "agent-2" },
    { ...japan, device: "mobile", os: "Android", browser: "Firefox 140", agent: "agent-3" },
  ];
  const answers = steps.map((context, n) => {
    const answer = course.assess(context, now + n * day);
    course.confirm(now + n * day + 60_000);
    return answer;
  });
  expect(answers.map(({ recommendation }) => recommendation)).toContain("challenge");
  expect(answers.at(-1)?.recommendation).not.toBe("allow");
});

test("what was learned step by step within a week stands against the session, and later for it", () => {
  const old = createLogins(20, 30 * day, home);
  const reasonsAt = (ago: number) => {
    const { device, os, browser, agent } = home;
    const young = createLogins(2, ago, { ...brazil, device, os, browser, agent });
    return assessWith([...old, ...young], brazil).assessment.reasons;
  };
  const [young] = reasonsAt(day).filter(({ signal }) => signal === "gradual_change");
  expect(young?.contribution).toBeGreaterThan(1);
  expect(reasonsAt(8 * day).map(({ signal }) => signal)).not.toContain("gradual_change");
});

test("a new phone on a journey is no step of an attack", () => {
  const { device, os, browser, agent } = home;
  const journey = createLogins(3, day, { ...brazil, device, os, browser, agent });
  const answer = assessWith([...createLogins(20, 30 * day, home), ...journey], brazil);
  expect(answer.assessment.recommendation).toBe("allow");
});

describe("A known browser", () => {
  const history = createLogins(10, 20 * hour, home);

  test("does not excuse a network, the less the farther it is", () => {
    const scores = [home, newPrefix, newPool, newProvider, japan].map((one) =>
      scoreOf(history, one),
    );
    expect(scores).toEqual(scores.toSorted((left, right) => left - right));
    expect(scoreOf(history, japan)).toBeGreaterThan(2 * 0.05);
  });

  test("is challenged where no person can have travelled, except behind a VPN or on a phone", () => {
    const soon = createLogins(10, hour, home);
    const { recommendation, riskScore } = assessWith(soon, japan).assessment;
    expect(recommendation).toBe("challenge");
    expect(riskScore).toBeGreaterThanOrEqual(0.5);
    const hidden = assessWith(soon, { ...japan, placeHidden: true }).assessment;
    expect(hidden.reasons.map(({ signal }) => signal)).not.toContain("impossible_travel");
    const phone: Context = { ...japan, device: "mobile", os: "iOS", browser: "Safari 18" };
    const phones = createLogins(10, hour, { ...phone, country: "NO", asn: 2119 });
    const abroad = assessWith(phones, phone).assessment;
    expect(abroad.riskScore).toBeLessThan(assessWith(soon, japan).assessment.riskScore + 0.3);
    const [travel] = abroad.reasons.filter(({ signal }) => signal === "impossible_travel");
    expect(travel?.contribution).toBe(1.5);
  });

  test("from a hosting network abroad is most likely a phisher's", () => {
    const network = {
      address: "a",
      prefix: "p",
      reservedRange: null,
      tenantList: null,
      facts: { kinds: ["hosting"], threatGrade: 0 },
    } as const;
    const { kinds } = assessWith(history, japan, now, {
      ...network,
      facts: { ...network.facts, kinds: [...network.facts.kinds] },
    }).assessment;
    const { real: _real, phisher = 0, ...others } = kinds ?? {};
    expect(phisher).toBeGreaterThan(0);
    expect(phisher).toBeGreaterThan(Math.max(...Object.values(others).map(Number)));
  });
});

test("a user with fewer than five confirmed logins is never denied for the history alone", () => {
  const client = { timeZone: "zone-1", acceptLanguage: "languages-1", ja4: "ja4-1" };
  const other = { timeZone: "zone-2", acceptLanguage: "languages-2", ja4: "ja4-2" };
  for (const count of [1, 2, 3, 4]) {
    for (const ago of [hour, 12 * hour, 30 * day]) {
      const history = createLogins(count, ago, { ...home, ...client });
      for (const context of [brazil, { ...brazil, ...other }, { ...japan, ...other }]) {
        const { recommendation } = assessWith(history, context).assessment;
        expect(recommendation).not.toBe("deny");
      }
    }
  }
});

test("what real users often do is not stated as an attack: a new phone nearby, an updated browser abroad", () => {
  const history = createLogins(20, day, home);
  const phone = { device: "mobile", os: "Android", browser: "Chrome 138", agent: "agent-p" };
  const updated = { browser: "Chrome 139", agent: "agent-139" };
  const { recommendation, riskScore } = assessWith(history, { ...newPrefix, ...phone }).assessment;
  expect(recommendation).not.toBe("deny");
  expect(riskScore).toBeLessThan(0.5);
  const abroad = { ...newProvider, country: "SE", asn: 3301 };
  expect(assessWith(history, { ...abroad, ...updated }).assessment.recommendation).not.toBe("deny");
});

test("a new exact agent alone never leads to a denial", () => {
  for (const count of [5, 30, 100]) {
    const context = { ...japan, agent: "agent-2" };
    const { reasons } = assessWith(createLogins(count, hour, home), context).assessment;
    const habits = reasons.filter(({ signal }) => signal.endsWith("_history"));
    const sum = habits.reduce((total, { contribution }) => total + contribution, 0);
    expect(sum).toBeLessThan(4.34);
  }
});

test("a newer version of the browser is likelier of the user than an older one", () => {
  const history = createLogins(20, 2 * day, home);
  const withVersion = (major: number) =>
    scoreOf(history, { ...newProvider, browser: `Chrome ${major}`, agent: `agent-${major}` });
  expect(withVersion(139)).toBeLessThan(withVersion(137));
});

test("a changed phone says nothing about how often the desktop changes its network", () => {
  const phone = { ...home, device: "mobile", os: "iOS", browser: "Safari 18", agent: "agent-p" };
  const roaming = createLogins(20, 2 * day, phone).map((one, n) => ({
    ...one,
    id: `p${n}`,
    context: { ...phone, pool: `pool-${n}`, prefix: `p-${n}`, address: `a-${n}` },
  }));
  const desk = createLogins(20, day, home);
  const both = [...roaming, ...desk].toSorted((left, right) => left.at - right.at);
  const fresh = { pool: "pool-x", prefix: "p-x", address: "a-x" };
  expect(scoreOf(both, { ...phone, ...fresh })).toBeLessThan(scoreOf(both, { ...home, ...fresh }));
});
