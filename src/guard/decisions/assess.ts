/** The assessment of one session (pure): the guard's own facts together with the session's surroundings. */
import type { AgentKind } from "../../sentinel/agent.ts";
import type { Assessment, DecidedAssessment, RiskPolicy } from "../../sentinel/assessment.ts";
import type { Surroundings } from "../../sentinel/assessments/surroundings.ts";
import { compareWithHistory, compareWithSettled } from "../../sentinel/behaviour/behaviour.ts";
import { isOnProbation } from "../../sentinel/behaviour/learned-sessions.ts";
import { findImpossibleTravel } from "../../sentinel/behaviour/travel.ts";
import type { Context } from "../../sentinel/context.ts";
import {
  type DataSource,
  type DeviceEvidence,
  type IdentityEvidence,
  type NetworkCrowd,
  reportedParts,
  type SessionEvidence,
  type TriedFrom,
} from "../../sentinel/evidence.ts";
import {
  addSession,
  adoptFormerAddress,
  type History,
  type KnownSession,
  selectByVerdict,
  selectLearned,
} from "../../sentinel/history.ts";
import { countShare } from "../../sentinel/population/population.ts";
import { judge } from "../../sentinel/signals/judgement.ts";
import { attemptWindowMs, model, switchWindowMs, velocityLimits } from "../../sentinel/weights.ts";
import { findDevice, listDevices } from "./devices.ts";
import { isLocked } from "./lockout.ts";
import type { PasskeyDemand } from "./passkeys.ts";
import { profileOf } from "./profile.ts";
import { type Assessed, standingOf } from "./standing.ts";
import type { IdentityState } from "./state.ts";
import { addRecentAttempt, type GuardCall, succeed, type Transition } from "./transition.ts";

/** What the edge knows of a session without a lookup. */
export interface Session {
  readonly assessmentId: string;
  readonly agent: AgentKind;
  /** The tenant's own user id for the session, when it was sent. */
  readonly userId: string | null;
  /** Which passkeys are a factor. */
  readonly passkeys: PasskeyDemand;
  /** For the audit trail alone; the score is computed from the surroundings. */
  readonly shown: { readonly address: string; readonly agent: string };
}

function identityEvidenceOf(state: IdentityState, call: GuardCall): IdentityEvidence {
  const { now } = call;
  // Strangers who guess say nothing about a session from a known device.
  const device = findDevice(state, call);
  const counted = state.recent.filter(({ onDevice }) => device === undefined || onDevice);
  const attempts = velocityLimits.map(
    ({ windowSeconds }) =>
      counted.filter(({ at }) => at > now - windowSeconds * 1000 && at <= now).length,
  );
  const { status } = profileOf(state, now);
  return {
    failedAttempts: device?.failures ?? state.lockout.failedAttempts,
    locked: device === undefined && isLocked(state.lockout, now),
    attempts,
    ...(status === "active" ? {} : { status }),
  };
}

function isSame(left: string | null, right: string | null): boolean {
  return left !== null && left === right;
}

/** Whether the same address had another system or device minutes ago, whatever the verdict on it. */
function hasSwitchedAgent(history: History, { address, os, device }: Context, now: number) {
  return history.some(
    ({ at, context }) =>
      at <= now &&
      at > now - switchWindowMs &&
      isSame(context.address, address) &&
      (context.os !== os || context.device !== device),
  );
}

function reportedPartsOf(frauds: History, session: Context) {
  return reportedParts.filter((part) =>
    frauds.some(({ context }) => isSame(context[part], session[part])),
  );
}

/** Undefined for a user without known devices, of whom nothing can be missing. */
function deviceEvidenceOf(state: IdentityState, call: GuardCall): DeviceEvidence | undefined {
  if (listDevices(state, call.now).length === 0) return undefined;
  const device = findDevice(state, call);
  if (device === undefined) return { known: false };
  const { id, lastUsedAt } = device;
  return { known: true, id, sinceVerifiedMs: Math.max(0, call.now - lastUsedAt) };
}

/** The last session that shows where the user was. One on probation shows it if another one confirms it. */
function findLastPlace(known: History, now: number): KnownSession | undefined {
  const isElsewhere = (one: KnownSession) =>
    one.context.placeHidden || one.context.country === null;
  const suspicious = known.filter((one) => isOnProbation(one, now));
  return known.findLast(
    (one) =>
      !isElsewhere(one) &&
      (!suspicious.includes(one) ||
        suspicious.some(
          ({ id, context }) => id !== one.id && context.country === one.context.country,
        )),
  );
}

/** Undefined for one block, as almost always. */
function triedFromOf(history: History, context: Context, now: number): TriedFrom | undefined {
  const recent = history.filter(({ at }) => at <= now && at > now - attemptWindowMs);
  const contexts = [context, ...recent.map((one) => one.context)];
  const countDistinct = (values: readonly unknown[]) => new Set(values).size;
  const blocks = countDistinct(contexts.flatMap(({ prefix }) => prefix ?? []));
  if (blocks < 2) return undefined;
  const networks = countDistinct(contexts.flatMap(({ asn }) => asn ?? []));
  return { blocks, networks: Math.max(1, networks) };
}

/** Adds how common the session's network is in the tenant. */
function completeNetworkCrowd({
  networkCrowd,
  population,
  context,
}: Surroundings): NetworkCrowd | undefined {
  if (networkCrowd === undefined || population === null || context.asn === null) {
    return networkCrowd;
  }
  const { count } = countShare(population, context, "asn", [String(context.asn)]);
  return { ...networkCrowd, population: { count, all: population.logins } };
}

function evidenceOf(
  state: IdentityState,
  call: GuardCall,
  session: Session,
  surroundings: Surroundings,
  stored: History,
): SessionEvidence {
  const { now } = call;
  const { context, network, formerAddress, population, crowd, nearbyFraud } = surroundings;
  const history = adoptFormerAddress(stored, formerAddress, context.address);
  const device = deviceEvidenceOf(state, call);
  const networkCrowd = completeNetworkCrowd(surroundings);
  const triedFrom = triedFromOf(history, context, now);
  const known = selectLearned(history, now);
  const behaviour = compareWithHistory(known, context, population, now);
  const settled = compareWithSettled(known, context, population, now);
  const last = findLastPlace(known, now);
  return {
    context,
    network,
    agent: session.agent,
    agentSwitched: hasSwitchedAgent(history, context, now),
    userMismatch: session.userId !== null && session.userId !== state.externalId,
    identity: identityEvidenceOf(state, call),
    behaviour,
    travel:
      last === undefined || context.placeHidden
        ? null
        : findImpossibleTravel(
            { country: last.context.country, at: last.at },
            { country: context.country, at: now },
          ),
    reported: reportedPartsOf(selectByVerdict(history, "fraud", now), context),
    crowd,
    ...(device === undefined ? {} : { device }),
    ...settled,
    ...(networkCrowd === undefined ? {} : { networkCrowd }),
    ...(triedFrom === undefined ? {} : { triedFrom }),
    ...(nearbyFraud === undefined ? {} : { nearbyFraud }),
  };
}

/** An unread population degrades an assessment only if there is a history to compare it with. */
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
): Transition<Assessed> {
  const isOnDevice = findDevice(state, call) !== undefined;
  const recent = addRecentAttempt(state, "assessed", call.now, isOnDevice);
  const evidence = evidenceOf({ ...state, recent }, call, session, surroundings, history);
  const { reasons, riskScore, kinds, recommendation } = judge(evidence, policy);
  const { assessmentId: id } = session;
  const shown: Assessment = {
    id,
    at: call.now,
    model,
    riskScore,
    kinds,
    recommendation,
    reasons,
    degraded: degradedOf(surroundings, evidence),
  };
  const { tenantId, identityId } = state;
  const assessment: DecidedAssessment = { ...shown, tenantId, identityId, evidence, policy };
  const risk = { score: riskScore, recommendation };
  const deviceId = evidence.device?.id;
  const assessed = {
    id,
    at: call.now,
    verdict: null,
    context: surroundings.context,
    risk,
    ...(deviceId === undefined ? {} : { deviceId }),
  };
  return {
    // An assessment changes no security state: `updatedAt` stays, and runs of refusals continue.
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
    result: succeed({ ...shown, ...standingOf(state, call, session.passkeys) }),
    history: addSession(history, assessed, call.now),
    assessment,
  };
}
