/** The explanation of a score: whoever computes its steps again with the shown digits gets the score. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestCanonicalJson } from "../../../src/crypto/canonical.ts";
import { explainScore } from "../../../src/sentinel/explanation/explain.ts";
import { type ReasonName, signalNames } from "../../../src/sentinel/reason.ts";
import { judge } from "../../../src/sentinel/signals/judgement.ts";
import * as weights from "../../../src/sentinel/weights.ts";
import { attackerKinds } from "../../../src/sentinel/weights.ts";
import { strideOf } from "../../support/campaign.ts";
import { findWrongSteps } from "./calculator.ts";
import { assessedSessions } from "./random-sessions.ts";

/** A part of them runs with `npm test`. The seed is one with which this part has every signal. */
const sessionCount = 2_000 / strideOf(4);
const seed = 1;

/** All of them take longer than other tests may. */
const maxDurationMs = 300_000;

describe("The explanation of a score", () => {
  test(
    "has steps that give every contribution, the score and the kinds, for every session",
    () => {
      const explained = new Set<ReasonName>();
      const names = new Set<string>();
      fc.assert(
        fc.property(assessedSessions, ({ evidence, policy }) => {
          const { reasons, riskScore, kinds } = judge(evidence, policy);
          const explanation = explainScore(evidence, policy);
          if (explanation === undefined) throw new Error("The score is not explained");
          const { steps, contributions } = explanation;
          const wrong = findWrongSteps(steps);
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
        { numRuns: sessionCount, seed },
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
    },
    maxDurationMs,
  );

  test("has no step whose number could be another one", () => {
    const [session] = fc.sample(
      assessedSessions.filter(({ evidence }) => evidence.behaviour !== null),
      { numRuns: 1, seed },
    );
    if (session === undefined) throw new Error("There is no session");
    const { steps = [] } = explainScore(session.evidence, session.policy) ?? {};
    const used = steps.filter(({ name }) => steps.some(({ formula }) => formula?.includes(name)));
    expect(used.length).toBeGreaterThan(50);
    for (const changed of steps.filter(({ formula }) => formula !== null)) {
      const others = steps.map((step) => {
        if (step !== changed) return step;
        const { value, byKind } = step;
        return value === null && byKind !== null
          ? { ...step, byKind: { ...byKind, targeted: byKind.targeted * 1.001 + 0.001 } }
          : { ...step, value: (value ?? 0) * 1.001 + 0.001 };
      });
      expect(findWrongSteps(others)).not.toEqual([]);
    }
  });

  test("follows from weights that the name of the model fixes", () => {
    const { model, ...fixed } = weights;
    expect(
      [model, digestCanonicalJson(JSON.parse(JSON.stringify(fixed)))],
      "A changed weight needs a new name of the model: stored assessments are explained by it.",
    ).toEqual(["sentinel-3", "fe711bbfe6292eb9225f9aba1d255427785c69a0e66029e7b616b3c5f62d7724"]);
  });
});
