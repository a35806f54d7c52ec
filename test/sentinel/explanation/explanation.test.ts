/** The explanation of a score: whoever computes its steps again with the shown digits gets the score. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { explainScore } from "../../../src/sentinel/explanation/explain.ts";
import { type ReasonName, reasonNames, signalNames } from "../../../src/sentinel/reason.ts";
import { judge } from "../../../src/sentinel/signals/judgement.ts";
import { attackerKinds } from "../../../src/sentinel/weights.ts";
import { findWrongSteps } from "./calculator.ts";
import { assessedSessions } from "./random-sessions.ts";

const contributionDecimals = 4;
/** Shown with four decimals, as the API answers them. */
const decimals = new Map<string, number>(
  [
    ...reasonNames,
    "risk_score",
    "both",
    "network_alone",
    "settled.both",
    "settled.network_alone",
  ].map((name) => [name, contributionDecimals]),
);

describe("The explanation of a score", () => {
  test("has steps that give every contribution, the score and the kinds, for every session", () => {
    const explained = new Set<ReasonName>();
    const names = new Set<string>();
    fc.assert(
      fc.property(assessedSessions, ({ evidence, policy }) => {
        const { reasons, riskScore, kinds } = judge(evidence, policy);
        const explanation = explainScore(evidence, policy);
        if (explanation === undefined) throw new Error("The score is not explained");
        const { steps, contributions } = explanation;
        const wrong = findWrongSteps(steps, decimals);
        if (wrong.length > 0) throw new Error(wrong.join("\n"));
        expect(contributions.map(({ signal, contribution }) => [signal, contribution])).toEqual(
          reasons.map(({ signal, contribution }) => [signal, contribution]),
        );
        const stepOf = (name: string) => steps.find((one) => one.name === name);
        for (const { signal, contribution, basis } of contributions) {
          if (basis === "rule" && signal !== "test_address") continue;
          expect(stepOf(signal)?.value, signal).toBe(contribution);
          explained.add(signal);
        }
        expect(stepOf("risk_score")?.value).toBe(riskScore);
        for (const kind of attackerKinds) {
          if (evidence.network.testResult !== undefined) break;
          expect(Math.abs((stepOf("kinds")?.byKind?.[kind] ?? 1) - kinds[kind])).toBeLessThan(
            1.5e-4,
          );
        }
        for (const { name } of steps) names.add(name);
      }),
      { numRuns: 600 },
    );
    expect([...explained].toSorted()).toEqual([...signalNames, "test_address"].toSorted());
    for (const rare of [
      "kept",
      "softened",
      "network.judged_ratio",
      "all.network.ratio",
      "prefix.block",
    ]) {
      expect([...names]).toContain(rare);
    }
  });
});
