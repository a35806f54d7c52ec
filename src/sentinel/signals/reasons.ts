/**
 * All signals (pure). Start here to see how a score comes about: the evidence of a session goes in, and every
 * signal that finds something gives a reason, with a contribution in log-odds and a sentence. Nothing else is
 * read, so the same evidence gives the same reasons at any later time. judgement.ts uses them.
 *
 * A signal without evidence gives no reason. Two signals have a contribution of 0: a reserved address and a
 * privacy relay. Without them a reader would draw the wrong conclusion from the score.
 */
import type { SessionEvidence } from "../evidence.ts";
import { createReason, type Reason, type ReasonName } from "../reason.ts";
import { weights } from "../weights.ts";
import { findAgentReasons } from "./agent.ts";
import { findBehaviourReasons } from "./behaviour.ts";
import { findDeviceReasons } from "./device.ts";
import { findIdentityReasons } from "./identity.ts";
import { findManyNetworksReasons } from "./many-networks.ts";
import { findNearbyFraudReasons } from "./nearby-fraud.ts";
import { findNetworkReasons } from "./network.ts";
import { findNetworkStuffingReasons } from "./network-stuffing.ts";
import { createTestReason } from "./test-address.ts";

const reportedAtZero: readonly ReasonName[] = ["reserved_address", "privacy_relay"];

const habitSignals: readonly ReasonName[] = ["network_history", "agent_history", "hour_of_week"];

function roundContribution(contribution: number): number {
  // Adding 0 turns the -0 of rounding into 0.
  return Math.round(contribution * 1e4) / 1e4 + 0;
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
  const behaviour = findBehaviourReasons(evidence, isOff);
  const habits = behaviour
    .filter(({ signal }) => habitSignals.includes(signal))
    .reduce((sum, { contribution }) => sum + contribution, 0);
  return [
    ...findNetworkReasons(evidence, isOff),
    ...findAgentReasons(evidence.agent),
    ...behaviour,
    ...findNetworkStuffingReasons(evidence),
    ...findManyNetworksReasons(evidence),
    ...findNearbyFraudReasons(evidence),
    ...findDeviceReasons(evidence.device, habits),
    ...mismatch,
    ...findIdentityReasons(evidence.identity),
  ]
    .filter(({ signal }) => !isOff(signal))
    .map((one) => ({ ...one, contribution: roundContribution(one.contribution) }))
    .filter(({ signal, contribution }) => contribution !== 0 || reportedAtZero.includes(signal))
    .toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution));
}
