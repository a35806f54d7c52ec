/** What an assessment is, as it is answered and as it is stored. */
import type { DataSource, SessionEvidence } from "./evidence.ts";
import type { Verdict } from "./history.ts";
import type { Reason } from "./reason.ts";
import type { Recommendation } from "./score.ts";

/** The tenant's policy, as far as it scores and recommends. */
export interface RiskPolicy {
  readonly challengeAt: number;
  readonly denyAt: number;
  readonly signalsOff: readonly string[];
}

export interface Assessment {
  /** 48 hex digits: an id of its own, then the identity's, so that it leads to the guard. */
  readonly id: string;
  readonly at: number;
  readonly model: string;
  readonly riskScore: number;
  readonly recommendation: Recommendation;
  readonly reasons: readonly Reason[];
  readonly degraded: readonly DataSource[];
}

/** An assessment as it is stored. */
export interface AssessmentRecord extends Assessment {
  readonly tenantId: string;
  readonly identityId: string;
  readonly evidence: SessionEvidence;
  /** SHA-256 over the evidence in canonical JSON, hex. */
  readonly evidenceDigest: string;
  readonly policy: RiskPolicy;
  readonly contextDigest: string;
}

export const verdictSources = ["verification", "feedback"] as const;

/** What became of an assessed session, and who says so. */
export interface VerdictRecord {
  readonly assessmentId: string;
  readonly verdict: Verdict;
  readonly source: (typeof verdictSources)[number];
  readonly at: number;
}

export const assessmentIdPattern = /^[0-9a-f]{48}$/;
const identityIdLength = 24;

export function assessmentIdOf(ownId: string, identityId: string): string {
  return `${ownId}${identityId}`;
}

/** The identity that an assessment is of. */
export function identityOfAssessment(assessmentId: string): string {
  return assessmentId.slice(-identityIdLength);
}
