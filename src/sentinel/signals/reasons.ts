/**
 * All signals together (pure): each looks at the facts of a session and gives its evidence in
 * log-odds, with a sentence that says why. A signal without evidence is silent, but for two: a
 * reserved address and a privacy relay are told with 0, because silence about them would be misread.
 */
import type { SessionEvidence } from "../evidence.ts";
import { type Reason, reason, type SignalName } from "../reason.ts";
import { weights } from "../weights.ts";
import { agentReasons } from "./agent.ts";
import { behaviourReasons } from "./behaviour.ts";
import { identityReasons } from "./identity.ts";
import { networkReasons } from "./network.ts";

const toldWithoutEvidence: readonly SignalName[] = ["reserved_address", "privacy_relay"];

function rounded(contribution: number): number {
  // Adding 0 turns the -0 of rounding into 0.
  return Math.round(contribution * 1e4) / 1e4 + 0;
}

/** All reasons for the session, strongest first. Signals in `off` are not asked. */
export function reasonsFor(evidence: SessionEvidence, off: readonly string[]): readonly Reason[] {
  const isOff = (signal: SignalName) => off.includes(signal);
  const mismatch = evidence.userMismatch
    ? [
        reason(
          "user_mismatch",
          weights.userMismatch,
          "The session's user_id is not this user's external_id.",
        ),
      ]
    : [];
  return [
    ...networkReasons(evidence, isOff),
    ...agentReasons(evidence.agent),
    ...behaviourReasons(evidence, isOff),
    ...mismatch,
    ...identityReasons(evidence.identity),
  ]
    .filter(({ signal }) => !isOff(signal))
    .map((told) => ({ ...told, contribution: rounded(told.contribution) }))
    .filter(
      ({ signal, contribution }) => contribution !== 0 || toldWithoutEvidence.includes(signal),
    )
    .toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution));
}
