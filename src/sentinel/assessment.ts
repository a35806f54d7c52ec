/** An assessment, as the API answers it and as it is stored. */
import type { DataSource, SessionEvidence } from "./evidence.ts";
import type { Verdict } from "./history.ts";
import type { Kinds } from "./kinds.ts";
import type { Reason } from "./reason.ts";
import type { Recommendation } from "./score.ts";
import type { AttackerKind } from "./weights.ts";

/** From which probability of one kind of attacker a session is challenged or denied, whatever its score. */
export interface KindThresholds {
  readonly challengeAt?: number | undefined;
  readonly denyAt?: number | undefined;
}

/** The part of the tenant's policy that affects scores and recommendations. */
export interface RiskPolicy {
  readonly challengeAt: number;
  readonly denyAt: number;
  readonly signalsOff: readonly string[];
  /** Absent in what older builds stored. */
  readonly kinds?: Readonly<Partial<Record<AttackerKind, KindThresholds | undefined>>> | undefined;
}

export interface Assessment {
  /**
   * 48 hex digits: its own id, then the id of the identity, so that the guard can be found from it. Its own id
   * begins with the real time of arrival, by which it ages.
   */
  readonly id: string;
  /** Unix ms; the tenant's test clock if one was sent. */
  readonly at: number;
  readonly model: string;
  readonly riskScore: number;
  /** Who the session is from. Absent in what older builds stored. */
  readonly kinds?: Kinds | undefined;
  readonly recommendation: Recommendation;
  readonly reasons: readonly Reason[];
  readonly degraded: readonly DataSource[];
}

/** An assessment with everything that it follows from, as the guard decides it. */
export interface DecidedAssessment extends Assessment {
  readonly tenantId: string;
  readonly identityId: string;
  readonly evidence: SessionEvidence;
  readonly policy: RiskPolicy;
}

/** An assessment as it is stored. */
export interface AssessmentRecord extends DecidedAssessment {
  /** SHA-256 over the evidence in canonical JSON, hex. */
  readonly evidenceDigest: string;
  /** The evidence as D1 keeps it (sealed-evidence.ts). Absent in what the queue got from an older build. */
  readonly sealedEvidence?: string;
}

export const verdictSources = ["verification", "feedback"] as const;

/** The verdict on an assessed session, and where the verdict came from. */
export interface VerdictRecord {
  readonly assessmentId: string;
  readonly verdict: Verdict;
  readonly source: (typeof verdictSources)[number];
  readonly at: number;
  /** It replaces no earlier verdict. Messages and outboxes of older builds do not say so. */
  readonly isFirst?: boolean;
}

export const assessmentIdPattern = /^[0-9a-f]{48}$/;
const identityIdLength = 24;

export function assessmentIdOf(ownId: string, identityId: string): string {
  return `${ownId}${identityId}`;
}

/** The id of the identity that was assessed. */
export function assessedIdentityOf(assessmentId: string): string {
  return assessmentId.slice(-identityIdLength);
}
