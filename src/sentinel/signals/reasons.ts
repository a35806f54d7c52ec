/**
 * All signals (pure). Start here to see how a score comes about: the evidence of a session goes in, and every
 * signal that finds something gives a reason, with a contribution in log-odds and a sentence. Nothing else is
 * read, so the same evidence gives the same reasons at any later time. judgement.ts uses them.
 *
 * A signal without evidence gives no reason. Two signals may have a contribution of 0: a reserved address and a
 * privacy relay. Without them a reader would draw the wrong conclusion from the score.
 */
import { maxOfHistory } from "../behaviour/attacker-model.ts";
import type { SessionEvidence } from "../evidence.ts";
import { createReason, type Reason, type ReasonName, roundContribution } from "../reason.ts";
import { weights } from "../weights.ts";
import { findAgentReasons } from "./agent.ts";
import { findBehaviourReasons } from "./behaviour.ts";
import { findDeviceReasons } from "./device.ts";
import { fitKinds } from "./fit-kinds.ts";
import { findGradualChangeReasons } from "./gradual-change.ts";
import { findHabitReasons } from "./habits.ts";
import { findIdentityReasons } from "./identity.ts";
import { findManyNetworksReasons } from "./many-networks.ts";
import { findNearbyFraudReasons } from "./nearby-fraud.ts";
import { findNetworkReasons } from "./network.ts";
import { findNetworkStuffingReasons } from "./network-stuffing.ts";
import { createTestReason } from "./test-address.ts";
import { findTravelReasons } from "./travel.ts";
import { limitWeakTrust } from "./weak-trust.ts";

const reportedAtZero: readonly ReasonName[] = ["reserved_address", "privacy_relay"];

function sumContributions(reasons: readonly Reason[]): number {
  return reasons.reduce((sum, { contribution }) => sum + contribution, 0);
}

/**
 * All reasons for the session, the strongest first. Signals in `off` are left out. A test address is the only reason
 * for its fixed result.
 */
export function findReasons(evidence: SessionEvidence, off: readonly string[]): readonly Reason[] {
  const { testResult } = evidence.network;
  if (testResult !== undefined) return [createTestReason(testResult)];
  const isOff = (signal: ReasonName) => off.includes(signal);
  const mismatch = evidence.userMismatch
    ? [
        createReason(
          "user_mismatch",
          weights.userMismatch,
          "The session's user_id is not this user's external_id.",
        ),
      ]
    : [];
  const keepOn = (reasons: readonly Reason[]) =>
    reasons
      .filter(({ signal }) => !isOff(signal))
      .map((one) => ({ ...one, contribution: roundContribution(one.contribution) }));
  const weigh = fitKinds(evidence.behaviour, isOff);
  const fitToHistory = (one: Reason) => ({ ...one, contribution: weigh(one) });
  const besideHistory = [
    ...keepOn(findNetworkReasons(evidence, isOff)),
    ...keepOn(findAgentReasons(evidence.agent)),
    ...keepOn(findBehaviourReasons(evidence).map(fitToHistory)),
    ...keepOn(findNetworkStuffingReasons(evidence).map(fitToHistory)),
    ...keepOn(findManyNetworksReasons(evidence)),
    ...keepOn(findNearbyFraudReasons(evidence)),
    ...keepOn(mismatch),
    ...keepOn(findIdentityReasons(evidence.identity)),
  ];
  const habits = keepOn(
    limitWeakTrust(
      findHabitReasons(evidence.behaviour, isOff),
      evidence.behaviour,
      sumContributions(besideHistory),
    ),
  );
  const ofHabits = sumContributions(habits);
  // All that follows from the history. A user of a few logins is not denied for it alone.
  const ofHistory = [
    ...habits,
    ...keepOn(findGradualChangeReasons(evidence, ofHabits)),
    ...keepOn(findDeviceReasons(evidence.device, ofHabits)),
  ];
  const others = [...besideHistory, ...ofHistory];
  const maxTravel = maxOfHistory(evidence.behaviour) - sumContributions(ofHistory);
  return [...others, ...keepOn(findTravelReasons(evidence, sumContributions(others), maxTravel))]
    .filter(({ signal, contribution }) => contribution !== 0 || reportedAtZero.includes(signal))
    .toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution));
}
