/** What must hold for every history and session: the order of their risks. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Context } from "../../../src/sentinel/context.ts";
import type { History, KnownSession } from "../../../src/sentinel/history.ts";
import { createSession, day, now } from "../example.ts";
import { assessWith } from "../sessions.ts";

const few = fc.constantFrom("a", "b", "c");
/** Finer values belong to their coarser ones, as addresses belong to their block. */
const contexts: fc.Arbitrary<Context> = fc
  .record({
    country: fc.constantFrom("NO", "BR", "JP"),
    asn: fc.integer({ min: 1, max: 2 }),
    pool: few,
    prefix: few,
    address: few,
    device: fc.constantFrom("desktop", "mobile"),
    os: fc.constantFrom("Windows", "Android"),
    browser: fc.constantFrom("Chrome 138", "Chrome 139", "Firefox 140"),
    agent: few,
    placeHidden: fc.constant(false),
  })
  .map((one) => {
    const asn = one.asn + (one.country === "NO" ? 0 : one.country === "BR" ? 10 : 20);
    const pool = `${asn}/${one.pool}`;
    const prefix = `${pool}/${one.prefix}`;
    const agent = `${one.device}/${one.os}/${one.browser}/${one.agent}`;
    return { ...one, asn, pool, prefix, address: `${prefix}/${one.address}`, agent };
  });

/** From then on every journey is possible. */
const minAgo = 2 * day;

const sessions: fc.Arbitrary<Pick<KnownSession, "at" | "context" | "verdict" | "risk">> = fc
  .record({
    ago: fc.integer({ min: minAgo, max: 60 * day }),
    context: contexts,
    verdict: fc.constantFrom("legitimate" as const, "legitimate" as const, null),
    recommendation: fc.constantFrom("allow" as const, "allow" as const, "challenge" as const),
  })
  .map(({ ago, context, verdict, recommendation }) => ({
    at: now - ago,
    context,
    verdict,
    risk: { score: 0.1, recommendation },
  }));

const histories: fc.Arbitrary<History> = fc
  .array(sessions, { minLength: 1, maxLength: 12 })
  .map((all) =>
    all
      .toSorted((left, right) => left.at - right.at)
      .map((one, n) => createSession({ id: `s${n}`, ...one })),
  );

function scoreOf(history: History, context: Context): number {
  return assessWith(history, context).assessment.riskScore;
}

function withoutGeography(context: Context): Context {
  return { ...context, country: null, asn: null };
}

/**
 * Some session of the history, or another one, so that all depths of knowledge occur. Without geography nobody knows
 * the coarsest levels.
 */
const cases = fc
  .record({ history: histories, other: contexts, index: fc.nat(24), hasGeography: fc.boolean() })
  .map(({ history, other, index, hasGeography }) => {
    const see = (context: Context) => (hasGeography ? context : withoutGeography(context));
    return {
      hasGeography,
      history: history.map((one) => ({ ...one, context: see(one.context) })),
      context: see(history[index]?.context ?? other),
    };
  });

test("a strong confirmation of exactly this session never raises its risk", () => {
  const recommendations = fc.constantFrom("allow" as const, "challenge" as const);
  fc.assert(
    fc.property(cases, recommendations, ({ history, context }, recommendation) => {
      const risk = { score: 0.1, recommendation };
      const confirmed = createSession({ id: "confirmed", at: now, context, risk });
      expect(scoreOf([...history, confirmed], context)).toBeLessThanOrEqual(
        scoreOf(history, context),
      );
    }),
    { numRuns: 200 },
  );
});

test("taking a value away from the history never lowers the risk", () => {
  const levels = fc.constantFrom("country", "asn", "pool", "prefix", "address", "browser", "agent");
  fc.assert(
    fc.property(cases, levels, ({ history, context }, level) => {
      if (context[level as "asn"] === null) return;
      // The sessions stay, with a value that nobody has. Another version is of the same browser.
      const taken = { country: "AQ", asn: 99, pool: "x", prefix: "x", address: "x" };
      const replacement = { ...taken, browser: `${context.browser?.split(" ")[0]} 1`, agent: "x" }[
        level
      ];
      const without = history.map((one) =>
        one.context[level as "asn"] === context[level as "asn"]
          ? { ...one, context: { ...one.context, [level]: replacement } }
          : one,
      );
      expect(scoreOf(without, context)).toBeGreaterThanOrEqual(scoreOf(history, context));
    }),
    { numRuns: 200 },
  );
});

test("moving the network of a session farther from all known ones never lowers its risk", () => {
  const fresh = { country: "NZ", asn: 99, pool: "x", prefix: "x", address: "x" };
  const { country: _country, ...sameCountry } = fresh;
  const { asn: _asn, ...sameNetwork } = sameCountry;
  const { pool: _pool, ...samePool } = sameNetwork;
  const steps = [{ address: "x" }, samePool, sameNetwork, sameCountry, fresh];
  fc.assert(
    fc.property(cases, ({ history, context, hasGeography }) => {
      const farther = steps
        .map((step): Context => ({ ...context, ...step }))
        .map((one) => (hasGeography ? one : withoutGeography(one)));
      const scores = [context, ...farther].map((one) => scoreOf(history, one));
      expect(scores).toEqual(scores.toSorted((left, right) => left - right));
    }),
    { numRuns: 150 },
  );
});
