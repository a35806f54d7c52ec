import { describe, expect, it } from "vitest";
import { createQuery, createSeries, periods } from "../../console/src/pages/overview/series.ts";
import { countScores, createWaterfall } from "../../console/src/pages/risk/waterfall.ts";
import { scoreOf } from "../../src/sentinel/score.ts";

describe("The waterfall", () => {
  it("ends at the score of the service", () => {
    const contributions = [4, -0.7, 1.25, 0];
    const reasons = contributions.map((contribution, index) => ({
      contribution,
      signal: `signal_${index}`,
      detail: "A finding.",
    }));
    const steps = createWaterfall(reasons);
    expect(steps[0]?.from).toBeCloseTo(0.05, 12);
    for (const [index, { to }] of steps.entries()) {
      expect(steps[index + 1]?.from ?? to).toBe(to);
    }
    expect(steps.at(-1)?.to).toBeCloseTo(scoreOf(reasons), 4);
  });
});

describe("The distribution", () => {
  it("counts each score once, the highest too", () => {
    expect(countScores([0, 0.049, 0.05, 0.5, 1], 20)).toEqual(
      Array.from({ length: 20 }, (_, bin) => ({ 0: 2, 1: 1, 10: 1, 19: 1 })[bin] ?? 0),
    );
  });
});

describe("The overview", () => {
  const now = Date.parse("2026-03-20T10:30:00Z");

  it.each([
    ["hour", "2026-03-12T11:00:00.000Z"],
    ["week", "2026-03-07T00:00:00.000Z"],
    ["month", "2026-02-12T00:00:00.000Z"],
  ] as const)("asks for a period by %s, and for the same a week before", (name, from) => {
    expect(createQuery("locks", periods[name], now).from).toBe(from);
  });

  it("compares each bucket with that of a week before", () => {
    const points = [
      { at: "2026-03-13T00:00:00.000Z", values: { success: 3, failure: 9 } },
      { at: "2026-03-20T00:00:00.000Z", values: { success: 5, failure: 1 } },
    ];
    const measure = { id: "verified", metric: "verifications", values: ["success"] } as const;
    const series = createSeries(points, measure, periods.week, now);
    expect(series.now).toEqual([0, 0, 0, 0, 0, 0, 5]);
    expect(series.before).toEqual([0, 0, 0, 0, 0, 0, 3]);
    const { values: _, ...all } = measure;
    expect(createSeries(points, all, periods.week, now).now.at(-1)).toBe(6);
  });
});
