/** What an assessment is, as it is answered and as it is stored. */
import type { Recommendation } from "./score.ts";
import type { Reason, SessionEvidence } from "./signals.ts";

export interface Assessment {
  readonly id: string;
  readonly at: number;
  readonly model: string;
  readonly riskScore: number;
  readonly recommendation: Recommendation;
  readonly reasons: readonly Reason[];
  readonly degraded: readonly string[];
}

/** An assessment as it is stored. */
export interface AssessmentRecord extends Assessment {
  readonly tenantId: string;
  readonly identityId: string;
  readonly evidence: SessionEvidence;
  readonly contextDigest: string;
}
