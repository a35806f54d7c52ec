import { describe, expect, test } from "vitest";
import {
  computeChallengedShare,
  findBestKind,
  findPolicy,
} from "../../bench/sentinel/kind-policy.ts";
import { factorOf, measureReliability } from "../../bench/sentinel/reliability.ts";
import { type Column, createColumn, keyOf } from "../../bench/sentinel/results.ts";

/** A column of sessions with these answers. */
function columnOf(risks: readonly number[], kinds: Record<string, readonly number[]> = {}): Column {
  return {
    ...createColumn([]),
    users: risks.map((_, index) => index),
    risks: [...risks],
    kinds: Object.fromEntries(Object.entries(kinds).map(([kind, own]) => [kind, [...own]])),
  };
}

function repeat(value: number, times: number): number[] {
  return Array.from({ length: times }, () => value);
}

describe("Reliability", () => {
  test("is perfect where the risk is the share of attacks, at 5 % of attacks", () => {
    // Of the sessions with the risk .3, 2 % of all are attacks and 4.667 % are real.
    const real = [...repeat(0.3, 4667), ...repeat(0.001, 90_333)];
    const attacks = [...repeat(0.3, 400), ...repeat(0.97, 600)];
    const bins = measureReliability({
      [keyOf("matched", "test", "real")]: columnOf(real),
      [keyOf("matched", "test", "naive")]: columnOf(attacks),
    });
    const bin = bins.find(({ from, to }) => from <= 0.3 && 0.3 < to);
    expect(bin?.sessions).toBe(5067);
    expect(bin?.stated).toBeCloseTo(0.3);
    expect(bin?.observed).toBeCloseTo(0.3, 3);
    expect(bins.at(-1)?.observed).toBe(1);
  });

  test("has the same factor for a risk that is too high and one that is too low", () => {
    const bin = { from: 0.2, to: 0.35, sessions: 100 };
    expect(factorOf({ ...bin, stated: 0.3, observed: 0.2 })).toBeCloseTo(1.5);
    expect(factorOf({ ...bin, stated: 0.2, observed: 0.3 })).toBeCloseTo(1.5);
  });

  test("counts every attacker alike, however many attacks it has", () => {
    const bins = measureReliability({
      [keyOf("matched", "test", "real")]: columnOf(repeat(0.6, 100)),
      [keyOf("matched", "test", "naive")]: columnOf(repeat(0.6, 1000)),
      [keyOf("matched", "test", "vpn")]: columnOf(repeat(0.001, 10)),
    });
    const bin = bins.find(({ from, to }) => from <= 0.6 && 0.6 < to);
    expect(bin?.observed).toBeCloseTo(0.025 / (0.95 + 0.025));
  });
});

describe("A policy by kinds", () => {
  const count = 1000;
  /** Two attackers, of which each is probable by one kind alone. */
  const real = columnOf(repeat(0.1, count), {
    proxy: Array.from({ length: count }, (_, index) => index / count / 2),
    phisher: Array.from({ length: count }, (_, index) => (count - index) / count / 2),
    real: repeat(0.5, count),
  });
  const proxies = columnOf(repeat(0.1, 50), { proxy: repeat(0.9, 50), phisher: repeat(0, 50) });
  const phishers = columnOf(repeat(0.1, 50), { proxy: repeat(0, 50), phisher: repeat(0.9, 50) });

  test("challenges at most the share, and catches attackers of several kinds at once", () => {
    const rivals = [proxies, phishers].map((attacks) => ({ attacks, bar: 0.8 }));
    for (const share of [0.01, 0.1]) {
      const policy = findPolicy(real, rivals, share);
      expect(computeChallengedShare(real, policy)).toBeLessThanOrEqual(share);
      expect(computeChallengedShare(proxies, policy)).toBe(1);
      expect(computeChallengedShare(phishers, policy)).toBe(1);
    }
  });

  test("uses the kind that recognises the attacker, and never the probability of the real user", () => {
    expect(findBestKind(real, proxies, 0.01)).toBe("proxy");
    expect(findBestKind(real, phishers, 0.01)).toBe("phisher");
    expect([...findPolicy(real, [{ attacks: proxies, bar: 1 }], 0.05).keys()]).not.toContain(
      "real",
    );
  });

  test("uses the risk score of a model without kinds", () => {
    const risks = columnOf(Array.from({ length: count }, (_, index) => index / count));
    const attacks = columnOf(repeat(0.995, 10));
    const policy = findPolicy(risks, [{ attacks, bar: 1 }], 0.01);
    expect([...policy.keys()]).toEqual(["risk"]);
    expect(computeChallengedShare(attacks, policy)).toBe(1);
  });
});
