/** Recomputes an assessment of the API from its inputs. */
import { z } from "zod";
import { digestCanonicalJson } from "../../../../../src/crypto/canonical.ts";
import { assessmentIdPattern } from "../../../../../src/sentinel/assessment.ts";
import { sessionEvidenceSchema } from "../../../../../src/sentinel/evidence.ts";
import { kindNames } from "../../../../../src/sentinel/kinds.ts";
import type { Reason } from "../../../../../src/sentinel/reason.ts";
import { recommendations } from "../../../../../src/sentinel/score.ts";
import { judge } from "../../../../../src/sentinel/signals/judgement.ts";
import { model, priorProbability } from "../../../../../src/sentinel/weights.ts";
import { kindPolicyOf, storedKindSettings } from "../../../../../src/tenancy/kind-settings.ts";
import { Failure } from "../../failure.ts";

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
  kinds: z.record(z.enum(kindNames), z.number()).nullable().default(null),
  inputs: sessionEvidenceSchema.nullable(),
  inputs_digest: z.string().nullable(),
});
export type StoredAssessment = z.infer<typeof assessment>;

/** One assessment, or a page of them. */
export const assessmentsSchema = z.union([
  z.object({ assessments: z.array(assessment) }).transform(({ assessments }) => assessments),
  assessment.transform((one) => [one]),
]);

export interface Recomputed {
  /** The prior, each contribution and the score, one a line. */
  readonly lines: readonly string[];
  /** What differs from the stored assessment. */
  readonly differences: readonly string[];
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

/** @throws Failure if this build does not have the model or the inputs are deleted */
export function recompute(stored: StoredAssessment): Recomputed {
  const { assessment_id: id, inputs, policy } = stored;
  if (stored.model !== model || inputs === null || policy === null) {
    throw new Failure(
      `${id}: the model is ${stored.model}, but this build computes ${model}. Use the build that has it.`,
    );
  }
  const {
    reasons,
    riskScore: score,
    kinds,
    recommendation,
  } = judge(inputs, {
    challengeAt: policy.challenge_at,
    denyAt: policy.deny_at,
    signalsOff: policy.signals_off,
    kinds: kindPolicyOf(policy.kinds),
  });
  const prior = Math.log(priorProbability / (1 - priorProbability));
  const sum = reasons.reduce((total, { contribution }) => total + contribution, prior);
  const lines = [
    `${id}  ${stored.at}  ${stored.model}`,
    `  ${formatSigned(prior)}  prior: ${priorProbability} of all sessions`,
    ...reasons.map(
      ({ signal, contribution, detail }) => `  ${formatSigned(contribution)}  ${signal}: ${detail}`,
    ),
    `  kinds: ${kindNames.map((kind) => `${kind} ${kinds[kind]}`).join(", ")}`,
    `  ${formatSigned(sum)}  log-odds: score ${score}, ${recommendation}`,
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
  return { lines, differences };
}
