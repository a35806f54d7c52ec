/**
 * All signals (pure). Start here to see how a score comes about: the evidence of a session goes in, and every
 * signal that finds something gives a reason, with a contribution in log-odds and a sentence. Nothing else is
 * read, so the same evidence gives the same reasons at any later time. score.ts adds them up.
 *
 * A signal without evidence gives no reason. Two reasons have a contribution of 0: a reserved address and a
 * privacy relay. Without them a reader would draw the wrong conclusion from the score.
 */
import type { SessionEvidence } from "../evidence.ts";
import { createReason, type Reason, type SignalName } from "../reason.ts";
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

/** All reasons for the session, the strongest first. Signals in `off` are left out. */
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
    .map((one) => ({ ...one, contribution: roundContribution(one.contribution) }))
    .filter(({ signal, contribution }) => contribution !== 0 || reportedAtZero.includes(signal))
    .toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution));
}

/**
 * Adds the sentences to stored reasons. They follow from the evidence, whatever the weights were; a signal that
 * this build no longer finds in the evidence has a general one.
 */
export function describeReasons(
  evidence: SessionEvidence,
  stored: readonly Pick<Reason, "signal" | "contribution">[],
  off: readonly string[],
): readonly Reason[] {
  const found = findReasons(evidence, off);
  return stored.map(({ signal, contribution }) => {
    const detail = found.find((one) => one.signal === signal)?.detail;
    return createReason(
      signal,
      contribution,
      detail ?? "An earlier model found this signal in the session's evidence.",
    );
  });
}
