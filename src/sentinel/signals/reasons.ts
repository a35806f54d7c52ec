/**
 * All signals together (pure): each looks at the facts of a session and gives its evidence in
 * log-odds, with a sentence that says why. A signal without evidence is silent, but for two: a
 * reserved address and a privacy relay are told with 0, because silence about them would be misread.
 */
import type { SessionEvidence } from "../evidence.ts";
import { type Reason, createReason, type SignalName } from "../reason.ts";
import { weights } from "../weights.ts";
import { findAgentReasons } from "./agent.ts";
import { findBehaviourReasons } from "./behaviour.ts";
import { findIdentityReasons } from "./identity.ts";
import { findNetworkReasons } from "./network.ts";

const reportedAtZero: readonly SignalName[] = ["reserved_address", "privacy_relay"];

function roundContribution(contribution: number): number {
  // Adding 0 turns the -0 of rounding into 0.
  return Math.round(contribution * 1e4) / 1e4 + 0;
}

/** All reasons for the session, strongest first. Signals in `off` are not asked. */
export function findReasons(evidence: SessionEvidence, off: readonly string[]): readonly Reason[] {
  const isOff = (signal: SignalName) => off.includes(signal);
  const mismatch = evidence.userMismatch
    ? [
        createReason(
          "user_mismatch",
          weights.userMismatch,
          "The session's user_id is not this user's external_id.",
        ),
      ]
    : [];
  return [
    ...findNetworkReasons(evidence, isOff),
    ...findAgentReasons(evidence.agent),
    ...findBehaviourReasons(evidence, isOff),
    ...mismatch,
    ...findIdentityReasons(evidence.identity),
  ]
    .filter(({ signal }) => !isOff(signal))
    .map((told) => ({ ...told, contribution: roundContribution(told.contribution) }))
    .filter(({ signal, contribution }) => contribution !== 0 || reportedAtZero.includes(signal))
    .toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution));
}
