/** An assessment of one session (pure): the guard's own facts join those about its surroundings. */
import { canonicalDigest } from "../../crypto/canonical.ts";
import type { AgentKind } from "../../sentinel/agent.ts";
import type { AssessmentRecord, RiskPolicy } from "../../sentinel/assessment.ts";
import { compareWithHistory } from "../../sentinel/behaviour/behaviour.ts";
import { findImpossibleTravel } from "../../sentinel/behaviour/travel.ts";
import type { Context } from "../../sentinel/context.ts";
import {
  type Crowd,
  type DataSource,
  type IdentityEvidence,
  type NetworkEvidence,
  reportedParts,
  type SessionEvidence,
} from "../../sentinel/evidence.ts";
import { selectByVerdict, type History, addSession } from "../../sentinel/history.ts";
import type { Population } from "../../sentinel/population/population.ts";
import { recommend, scoreOf } from "../../sentinel/score.ts";
import { findReasons } from "../../sentinel/signals/reasons.ts";
import { model, switchWindowMs, velocityLimits } from "../../sentinel/weights.ts";
import { isLocked } from "./lockout.ts";
import { refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import { type GuardCall, succeeded, type Transition, withRecent } from "./transition.ts";

/** What the caller knows of the session at once; its surroundings travel beside the call. */
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

/** What was looked up about the session. */
export interface Surroundings {
  readonly context: Context;
  readonly network: NetworkEvidence;
  /** The part of the tenant's population that the session is compared with. */
  readonly population: Population | null;
  /** There was no reading it this time. */
  readonly populationUnread: boolean;
  readonly crowd: Crowd | null;
  readonly degraded: readonly DataSource[];
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

function isSame(left: string | null, right: string | null): boolean {
  return left !== null && left === right;
}

/** Another system or device at the same address a moment ago, whatever became of it. */
function hasSwitchedAgent(history: History, { address, os, device }: Context, now: number) {
  return history.some(
    ({ at, context }) =>
      at <= now &&
      at > now - switchWindowMs &&
      isSame(context.address, address) &&
      (context.os !== os || context.device !== device),
  );
}

function reportedOf(frauds: History, session: Context) {
  return reportedParts.filter((part) =>
    frauds.some(({ context }) => isSame(context[part], session[part])),
  );
}

function evidenceOf(
  state: IdentityState,
  { now }: GuardCall,
  session: Session,
  { context, network, population, crowd }: Surroundings,
  history: History,
): SessionEvidence {
  const known = selectByVerdict(history, "legitimate", now);
  const last = known.findLast((one) => !one.context.placeHidden && one.context.country !== null);
  return {
    context,
    network,
    agent: session.agent,
    agentSwitched: hasSwitchedAgent(history, context, now),
    userMismatch: session.userId !== null && session.userId !== state.externalId,
    identity: identityEvidence(state, now),
    behaviour: compareWithHistory(known, context, population, now),
    travel:
      last === undefined || context.placeHidden
        ? null
        : findImpossibleTravel(
            { country: last.context.country, at: last.at },
            { country: context.country, at: now },
          ),
    reported: reportedOf(selectByVerdict(history, "fraud", now), context),
    crowd,
  };
}

/** A population nobody read is missed only where there is a history to hold against it. */
function degradedOf(
  { degraded, populationUnread }: Surroundings,
  { behaviour }: SessionEvidence,
): readonly DataSource[] {
  return populationUnread && behaviour !== null ? [...degraded, "population"] : degraded;
}

export function assess(
  state: IdentityState,
  call: GuardCall,
  session: Session,
  surroundings: Surroundings,
  policy: RiskPolicy,
  history: History,
): Transition<AssessmentRecord> {
  if (state.status === "suspended") {
    return refuse(state, call, "session.assessed", { code: "user_suspended" });
  }
  const recent = withRecent(state, "assessed", call.now);
  const evidence = evidenceOf({ ...state, recent }, call, session, surroundings, history);
  const reasons = findReasons(evidence, policy.signalsOff);
  const riskScore = scoreOf(reasons);
  const recommendation = recommend(riskScore, policy);
  const { assessmentId: id } = session;
  const assessment: AssessmentRecord = {
    tenantId: state.tenantId,
    identityId: state.identityId,
    id,
    at: call.now,
    model,
    riskScore,
    recommendation,
    reasons,
    degraded: degradedOf(surroundings, evidence),
    evidence,
    evidenceDigest: canonicalDigest(evidence),
    policy,
    contextDigest: session.contextDigest,
  };
  const assessed = { id, at: call.now, verdict: null, context: surroundings.context };
  return {
    // An assessment changes no security state, so neither `updatedAt` nor a run of refusals.
    state: { ...state, recent },
    entries: [
      {
        action: "session.assessed",
        outcome: "success",
        reason: recommendation,
        details: { assessment_id: id, risk_score: riskScore },
        session: session.shown,
      },
    ],
    result: succeeded(assessment),
    history: addSession(history, assessed, call.now),
    assessment,
  };
}
