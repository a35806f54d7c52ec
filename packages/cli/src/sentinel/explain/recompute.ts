/** Recomputes an assessment of the API from its inputs. */
import { z } from "zod";
import { digestCanonicalJson } from "../../../../../src/crypto/canonical.ts";
import { assessmentIdPattern } from "../../../../../src/sentinel/assessment.ts";
import { sessionEvidenceSchema } from "../../../../../src/sentinel/evidence.ts";
import { basisOf } from "../../../../../src/sentinel/explanation/basis.ts";
import { explainScore } from "../../../../../src/sentinel/explanation/explain.ts";
import { kindNames } from "../../../../../src/sentinel/kinds.ts";
import { type Reason, reasonNames } from "../../../../../src/sentinel/reason.ts";
import { recommendations, scoreOf } from "../../../../../src/sentinel/score.ts";
import { judge } from "../../../../../src/sentinel/signals/judgement.ts";
import { model, priorProbability } from "../../../../../src/sentinel/weights.ts";
import { kindPolicyOf, storedKindSettings } from "../../../../../src/tenancy/kind-settings.ts";
import { showSteps } from "./show-steps.ts";

const assessment = z.object({
  assessment_id: z.string().regex(assessmentIdPattern),
  at: z.string(),
  model: z.string(),
  risk_score: z.number(),
  recommendation: z.enum(recommendations),
  reasons: z.array(z.object({ signal: z.string(), contribution: z.number(), detail: z.string() })),
  policy: z
    .object({
      challenge_at: z.number(),
      deny_at: z.number(),
      signals_off: z.array(z.string()),
      kinds: storedKindSettings.default({}),
    })
    .nullable(),
  degraded: z.array(z.string()).default([]),
  kinds: z.record(z.enum(kindNames), z.number()).nullable().default(null),
  inputs: sessionEvidenceSchema.nullable(),
  inputs_digest: z.string().nullable(),
});
export type StoredAssessment = z.infer<typeof assessment>;

/** The answer with one assessment or a page of them, or one assessment by itself. */
export const assessmentsSchema = z.union([
  z.object({ assessments: z.array(assessment) }).transform(({ assessments }) => assessments),
  z.object({ assessment }).transform(({ assessment: one }) => [one]),
  assessment.transform((one) => [one]),
]);

export interface Recomputed {
  /** The prior, each contribution, the score, the thresholds and what was missing, one a line. */
  readonly lines: readonly string[];
  /** How the contributions came about, one step after the other. */
  readonly steps: readonly string[];
  /** What differs from the stored assessment. */
  readonly differences: readonly string[];
  /** Why the score could not be computed from the inputs; null if it was. */
  readonly problem: string | null;
}

function formatSigned(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(4)}`;
}

/** Whether signals and contributions are the same; the sentences may change from build to build. */
function areEqual(
  left: StoredAssessment["reasons"],
  right: readonly Pick<Reason, "signal" | "contribution">[],
): boolean {
  return (
    left.length === right.length &&
    left.every(({ signal, contribution }, index) => {
      return right[index]?.signal === signal && right[index]?.contribution === contribution;
    })
  );
}

/** What was stored, or what this build computes. */
interface Result {
  readonly reasons: readonly StoredAssessment["reasons"][number][];
  readonly score: number;
  readonly recommendation: string;
}

function nameBasis(signal: string): string {
  const known = reasonNames.find((name) => name === signal);
  return known === undefined ? "" : ` (${basisOf(known)})`;
}

function showSum(
  { assessment_id: id, at, model: name }: StoredAssessment,
  { reasons, score, recommendation }: Result,
): readonly string[] {
  const prior = Math.log(priorProbability / (1 - priorProbability));
  const sum = reasons.reduce((total, { contribution }) => total + contribution, prior);
  return [
    `${id}  ${at}  ${name}`,
    `  ${formatSigned(prior)}  prior: ${priorProbability} of all sessions`,
    ...reasons.map(
      ({ signal, contribution, detail }) =>
        `  ${formatSigned(contribution)}  ${signal}${nameBasis(signal)}: ${detail}`,
    ),
    `  ${formatSigned(sum)}  log-odds: score ${score}, ${recommendation}`,
  ];
}

function showThresholds({ policy, degraded }: StoredAssessment): readonly string[] {
  const missing = degraded.length === 0 ? "nothing" : degraded.join(", ");
  const lines = [`  degraded: ${missing}`];
  if (policy === null) return lines;
  const { challenge_at, deny_at, kinds, signals_off: off } = policy;
  const byKind = Object.entries(kinds).flatMap(([kind, thresholds]) => {
    const { challenge_at: challengeAt, deny_at: denyAt } = thresholds ?? {};
    const demands = [
      ...(challengeAt == null ? [] : [`challenge from ${challengeAt}`]),
      ...(denyAt == null ? [] : [`deny from ${denyAt}`]),
    ];
    return demands.length === 0 ? [] : [`${kind}: ${demands.join(", ")}`];
  });
  const all = [`challenge from ${challenge_at}, deny from ${deny_at}`, ...byKind];
  return [
    `  thresholds: ${all.join("; ")}`,
    ...(off.length === 0 ? [] : [`  signals off: ${off.join(", ")}`]),
    ...lines,
  ];
}

/** The sum of what was stored, if the score cannot be computed from the inputs. */
function showStored(stored: StoredAssessment, problem: string): Recomputed {
  const { reasons, risk_score: score, recommendation } = stored;
  const isSum = scoreOf(reasons) === score;
  return {
    lines: [...showSum(stored, { reasons, score, recommendation }), ...showThresholds(stored)],
    steps: [],
    differences: isSum ? [] : [`the contributions give ${scoreOf(reasons)}`],
    problem,
  };
}

/** Recomputes what this build can compute, and shows of the rest what was stored. */
export function recompute(stored: StoredAssessment): Recomputed {
  const { assessment_id: id, inputs, policy } = stored;
  if (inputs === null || policy === null) {
    return showStored(
      stored,
      `${id}: the inputs are not there, so nothing can be computed from them.`,
    );
  }
  if (stored.model !== model) {
    const problem = `${id}: the model is ${stored.model}, but this build computes ${model}. The build that has it shows the numbers behind the contributions.`;
    return showStored(stored, problem);
  }
  const inForce = {
    challengeAt: policy.challenge_at,
    denyAt: policy.deny_at,
    signalsOff: policy.signals_off,
    kinds: kindPolicyOf(policy.kinds),
  };
  const { reasons, riskScore: score, kinds, recommendation } = judge(inputs, inForce);
  const explanation = explainScore(inputs, inForce);
  const lines = [
    ...showSum(stored, { reasons, score, recommendation }),
    `  kinds: ${kindNames.map((kind) => `${kind} ${kinds[kind]}`).join(", ")}`,
    ...showThresholds(stored),
  ];
  const differences = [
    ...(score === stored.risk_score ? [] : [`the score was ${stored.risk_score}`]),
    ...(recommendation === stored.recommendation
      ? []
      : [`the recommendation was ${stored.recommendation}`]),
    ...(stored.kinds === null || kindNames.every((kind) => stored.kinds?.[kind] === kinds[kind])
      ? []
      : ["the kinds differ"]),
    ...(areEqual(stored.reasons, reasons) ? [] : ["the reasons differ"]),
    ...(digestCanonicalJson(inputs) === stored.inputs_digest
      ? []
      : ["the inputs are not those of the digest"]),
  ];
  const steps = explanation === undefined ? [] : showSteps(explanation);
  return { lines, steps, differences, problem: null };
}
