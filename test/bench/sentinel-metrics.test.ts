import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aucOf,
  computeChallenged,
  resampleUsers,
  medianOf,
  middle95Of,
  computeRecall,
  rocOf,
  computeShareAtOrAbove,
  findCatchingThreshold,
  findSparingThreshold,
} from "../../bench/sentinel/metrics.ts";

const scores = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 });

test("the area is the chance that an attack scores higher, a tie counting half", () => {
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

test("a curve never falls and ends where everything is challenged", () => {
  fc.assert(
    fc.property(scores, scores, (real, attacks) => {
      const points = rocOf(real, attacks);
      expect(points[0]).toEqual({ real: 0, attacks: 0 });
      expect(points.at(-1)).toEqual({ real: 1, attacks: 1 });
      for (const [place, point] of points.slice(1).entries()) {
        expect(point.real).toBeGreaterThanOrEqual(points[place]?.real ?? 0);
        expect(point.attacks).toBeGreaterThanOrEqual(points[place]?.attacks ?? 0);
      }
    }),
  );
});

test("a threshold that catches a share of attacks catches at least that, and one that spares logins challenges no more", () => {
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

describe("of a hundred logins from 1 to 100", () => {
  const real = Array.from({ length: 100 }, (_, index) => index + 1);

  test("one may be challenged at 1 %, and attacks above the second highest are caught", () => {
    expect(computeRecall(real, [99, 99.5, 100, 200], 0.01)).toBe(0.75);
    expect(computeRecall(real, [200], 0.001)).toBe(1);
    expect(computeRecall(real, [100], 0.001)).toBe(0);
  });

  test("half are challenged to catch every attack from 51 on", () => {
    expect(computeChallenged(real, [51, 90, 100], 0.99)).toBe(0.5);
  });

  test("equal scores are challenged together", () => {
    expect(computeChallenged([5, 5, 5, 1], [5, 9], 0.99)).toBe(0.75);
    expect(computeRecall([5, 5, 5, 1], [5, 9], 0.5)).toBe(0.5);
  });
});

test("drawings of the users scatter around the figure, alike for models that score alike", () => {
  const side = (offset: number) => ({
    scores: Array.from({ length: 300 }, (_, index) => ((index * 7919) % 300) + offset),
    users: Array.from({ length: 300 }, (_, index) => index % 50),
  });
  const [first, second] = resampleUsers([side(0), side(0)], [side(60), side(60)], 0.01, 80);
  expect(first).toEqual(second);
  const [least, most] = middle95Of(first?.auc ?? []);
  const auc = aucOf(side(0).scores, side(60).scores);
  expect(least).toBeLessThan(auc);
  expect(most).toBeGreaterThan(auc);
});

test("a median lies in the middle, or between the two that do", () => {
  expect(medianOf([3, 1, 2])).toBe(2);
  expect(medianOf([4, 1, 2, 3])).toBe(2.5);
});
