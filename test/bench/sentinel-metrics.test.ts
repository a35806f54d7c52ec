import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aucOf,
  computeChallenged,
  computeRecall,
  computeShareAtOrAbove,
  findCatchingThreshold,
  findSparingThreshold,
  medianOf,
  middle95Of,
  resampleUsers,
  rocOf,
} from "../../bench/sentinel/metrics.ts";

const scores = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 });

test("the area is the probability that an attack scores higher, with ties counted as half", () => {
  fc.assert(
    fc.property(scores, scores, (real, attacks) => {
      const wins = attacks.flatMap((attack) =>
        real.map((login) => (attack > login ? 1 : attack === login ? 0.5 : 0)),
      );
      const chance = wins.reduce((sum: number, win) => sum + win, 0) / wins.length;
      expect(aucOf(real, attacks)).toBeCloseTo(chance, 10);
    }),
  );
});

test("a curve never falls and ends where every login is challenged", () => {
  fc.assert(
    fc.property(scores, scores, (real, attacks) => {
      const points = rocOf(real, attacks);
      expect(points[0]).toEqual({ real: 0, attacks: 0 });
      expect(points.at(-1)).toEqual({ real: 1, attacks: 1 });
      for (const [index, point] of points.slice(1).entries()) {
        expect(point.real).toBeGreaterThanOrEqual(points[index]?.real ?? 0);
        expect(point.attacks).toBeGreaterThanOrEqual(points[index]?.attacks ?? 0);
      }
    }),
  );
});

test("the threshold for a share of attacks catches at least that share, and the one for a share of logins challenges at most that share", () => {
  const shares = fc.constantFrom(0.001, 0.01, 0.1, 0.5, 0.9, 0.99);
  fc.assert(
    fc.property(scores, scores, shares, (real, attacks, share) => {
      expect(
        computeShareAtOrAbove(attacks, findCatchingThreshold(attacks, share)),
      ).toBeGreaterThanOrEqual(share - 1e-12);
      const sparing = findSparingThreshold(real, share);
      expect(computeShareAtOrAbove(real, sparing)).toBeLessThanOrEqual(share);
      expect(computeRecall(real, attacks, share)).toBeGreaterThanOrEqual(
        computeShareAtOrAbove(attacks, sparing),
      );
    }),
  );
});

describe("with a hundred logins that score from 1 to 100", () => {
  const real = Array.from({ length: 100 }, (_, index) => index + 1);

  test("one login may be challenged at 1 %, and attacks above the second highest login are caught", () => {
    expect(computeRecall(real, [99, 99.5, 100, 200], 0.01)).toBe(0.75);
    expect(computeRecall(real, [200], 0.001)).toBe(1);
    expect(computeRecall(real, [100], 0.001)).toBe(0);
  });

  test("half of the logins are challenged to catch every attack from 51 on", () => {
    expect(computeChallenged(real, [51, 90, 100], 0.99)).toBe(0.5);
  });

  test("equal scores are challenged together", () => {
    expect(computeChallenged([5, 5, 5, 1], [5, 9], 0.99)).toBe(0.75);
    expect(computeRecall([5, 5, 5, 1], [5, 9], 0.5)).toBe(0.5);
  });
});

test("resamples of the users scatter around the figure, equally for models with equal scores", () => {
  const side = (offset: number) => ({
    scores: Array.from({ length: 300 }, (_, index) => ((index * 7919) % 300) + offset),
    users: Array.from({ length: 300 }, (_, index) => index % 50),
  });
  const [first, second] = resampleUsers([side(0), side(0)], [side(60), side(60)], 0.01, 80);
  expect(first).toEqual(second);
  const [low, high] = middle95Of(first?.auc ?? []);
  const auc = aucOf(side(0).scores, side(60).scores);
  expect(low).toBeLessThan(auc);
  expect(high).toBeGreaterThan(auc);
});

test("a median is the middle value, or lies between the two middle values", () => {
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([4, 1, 2, 3])).toBe(2.5);
});
