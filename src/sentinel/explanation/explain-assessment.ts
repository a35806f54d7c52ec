/** The explanation of an assessment that was stored (pure). */
import type { RiskPolicy } from "../assessment.ts";
import type { SessionEvidence } from "../evidence.ts";
import type { Reason } from "../reason.ts";
import { model } from "../weights.ts";
import { type Explanation, explainScore } from "./explain.ts";

/** What is known of a stored assessment. The evidence and the policy are null in those of the first models. */
export interface ExplainableAssessment {
  readonly model: string;
  readonly riskScore: number;
  readonly reasons: readonly Pick<Reason, "signal" | "contribution">[];
  readonly evidence: SessionEvidence | null;
  readonly policy: RiskPolicy | null;
}

/**
 * @returns null if the model is not the one of this build, or if the steps do not lead to what was stored: numbers of
 *   other weights would explain a score that nobody got
 */
export function explainAssessment(assessment: ExplainableAssessment): Explanation | null {
  const { evidence, policy, reasons, riskScore } = assessment;
  if (assessment.model !== model || evidence === null || policy === null) return null;
  const explanation = explainScore(evidence, policy);
  if (explanation === undefined) return null;
  const { contributions, steps } = explanation;
  const isSame =
    steps.find(({ name }) => name === "risk_score")?.value === riskScore &&
    contributions.length === reasons.length &&
    contributions.every(
      ({ signal, contribution }, index) =>
        signal === reasons[index]?.signal && contribution === reasons[index]?.contribution,
    );
  return isSame ? explanation : null;
}
