/**
 * The judgement on a session from its evidence (pure): reasons, score and recommendation. A test address fixes the
 * recommendation, whatever the policy says. Otherwise the tenant's thresholds by kind of attacker may raise it. The
 * status of the user bounds any recommendation, because a locked user cannot be verified and a suspended user has no
 * access. A reason with a contribution of 0 states each such rule.
 */
import type { RiskPolicy } from "../assessment.ts";
import type { IdentityEvidence, SessionEvidence } from "../evidence.ts";
import type { Kinds } from "../kinds.ts";
import { createReason, type Reason } from "../reason.ts";
import { type Recommendation, recommend, scoreOf } from "../score.ts";
import { raiseByKind } from "./kind-thresholds.ts";
import { estimateKinds } from "./kinds.ts";
import { findReasons } from "./reasons.ts";
import { forbidsToAllow } from "./travel.ts";

interface Judgement {
  readonly reasons: readonly Reason[];
  readonly riskScore: number;
  readonly kinds: Kinds;
  readonly recommendation: Recommendation;
}

interface Rule {
  readonly reason: Reason;
  readonly bound: (recommendation: Recommendation) => Recommendation;
}

const rules: Readonly<Record<NonNullable<IdentityEvidence["status"]>, Rule>> = {
  locked: {
    reason: createReason("user_locked", 0, "A session of a locked user is never allowed."),
    bound: (recommendation) => (recommendation === "allow" ? "challenge" : recommendation),
  },
  suspended: {
    reason: createReason("user_suspended", 0, "Every session of a suspended user is denied."),
    bound: () => "deny",
  },
};

/** By the score; a journey that no person can make is not allowed, wherever the tenant's threshold is. */
function recommendFrom(
  evidence: SessionEvidence,
  reasons: readonly Reason[],
  riskScore: number,
  policy: RiskPolicy,
): Recommendation {
  const byScore = recommend(riskScore, policy);
  return byScore === "allow" && forbidsToAllow(evidence, reasons) ? "challenge" : byScore;
}

export function judge(evidence: SessionEvidence, policy: RiskPolicy): Judgement {
  const { status } = evidence.identity;
  const found = findReasons(evidence, policy.signalsOff);
  const riskScore = scoreOf(found);
  const kinds = estimateKinds(evidence, found, riskScore, policy.signalsOff);
  const { testResult } = evidence.network;
  const byScore = testResult ?? recommendFrom(evidence, found, riskScore, policy);
  const raised = testResult === undefined ? raiseByKind(byScore, kinds, policy.kinds) : undefined;
  const { recommendation } = raised ?? { recommendation: byScore };
  const reasons = raised === undefined ? found : [...found, raised.reason];
  if (status === undefined) return { reasons, riskScore, kinds, recommendation };
  const { reason, bound } = rules[status];
  return { reasons: [...reasons, reason], riskScore, kinds, recommendation: bound(recommendation) };
}

/**
 * Adds the sentences to stored reasons. They follow from the evidence, whatever the weights were; a reason that
 * this build no longer finds in the evidence, or that it would now count for the other side, has a general one.
 */
export function describeReasons(
  evidence: SessionEvidence,
  stored: readonly Pick<Reason, "signal" | "contribution">[],
  policy: RiskPolicy,
): readonly Reason[] {
  const { reasons } = judge(evidence, policy);
  return stored.map(({ signal, contribution }) => {
    const isSame = (one: Reason) =>
      one.signal === signal && Math.sign(one.contribution) === Math.sign(contribution);
    const detail = reasons.find(isSame)?.detail;
    return createReason(
      signal,
      contribution,
      detail ?? "An earlier model found this signal in the session's evidence.",
    );
  });
}
