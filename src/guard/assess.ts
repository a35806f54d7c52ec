/** An assessment of one session (pure): the guard's own facts join those about network and agent. */
import type { AgentKind } from "../sentinel/agent.ts";
import type { AssessmentRecord } from "../sentinel/assessment.ts";
import { recommendationFor, scoreOf } from "../sentinel/score.ts";
import {
  type IdentityEvidence,
  type NetworkEvidence,
  reasonsFor,
  type SessionEvidence,
} from "../sentinel/signals.ts";
import { model, velocityLimits } from "../sentinel/weights.ts";
import { isLocked } from "./lockout.ts";
import { refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import { type GuardCall, succeeded, type Transition, withRecent } from "./transition.ts";

/** The tenant's policy, as far as it scores and recommends. */
export interface RiskPolicy {
  readonly challengeAt: number;
  readonly denyAt: number;
  readonly signalsOff: readonly string[];
}

/** What the caller knows of the session without the network facts, which travel beside the call. */
export interface Session {
  readonly assessmentId: string;
  readonly agent: AgentKind;
  /** The tenant's own user id for the session, when it was sent. */
  readonly userId: string | null;
  /** HMAC-SHA-256 over the session's context, hex. */
  readonly contextDigest: string;
  /** As the trail shows them; the score is made from what they say, not from them. */
  readonly shown: { readonly address: string; readonly agent: string };
}

function identityEvidence(state: IdentityState, now: number): IdentityEvidence {
  const attempts = velocityLimits.map(
    ({ windowSeconds }) =>
      state.recent.filter(({ at }) => at > now - windowSeconds * 1000 && at <= now).length,
  );
  return {
    failedAttempts: state.lockout.failedAttempts,
    locked: isLocked(state.lockout, now),
    attempts,
  };
}

export function assess(
  state: IdentityState,
  call: GuardCall,
  session: Session,
  network: NetworkEvidence,
  policy: RiskPolicy,
): Transition<AssessmentRecord> {
  if (state.status === "suspended") {
    return refuse(state, call, "session.assessed", { code: "user_suspended" });
  }
  const recent = withRecent(state, "assessed", call.now);
  const evidence: SessionEvidence = {
    network,
    agent: session.agent,
    userMismatch: session.userId !== null && session.userId !== state.externalId,
    identity: identityEvidence({ ...state, recent }, call.now),
  };
  const reasons = reasonsFor(evidence, policy.signalsOff);
  const riskScore = scoreOf(reasons);
  const recommendation = recommendationFor(riskScore, policy);
  const record: AssessmentRecord = {
    tenantId: state.tenantId,
    identityId: state.identityId,
    id: session.assessmentId,
    at: call.now,
    model,
    riskScore,
    recommendation,
    reasons,
    degraded: network.degraded ? ["ip_reputation"] : [],
    evidence,
    contextDigest: session.contextDigest,
  };
  return {
    // An assessment changes no security state, so neither `updatedAt` nor a run of refusals.
    state: { ...state, recent },
    entries: [
      {
        action: "session.assessed",
        outcome: "success",
        reason: recommendation,
        details: { assessment_id: record.id, risk_score: riskScore },
        session: session.shown,
      },
    ],
    result: succeeded(record),
  };
}
