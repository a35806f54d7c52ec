/** The signals that compare the session with recent activity and with reports of fraud (pure). */

import type { SessionEvidence } from "../evidence.ts";
import { createReason, formatCount, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";
import { findStep, isAtKnownAddress } from "./known-address.ts";
import { joinNames, levelNames } from "./level-names.ts";

export function findBehaviourReasons(evidence: SessionEvidence): Reason[] {
  const { agentSwitched, reported, crowd } = evidence;
  const reasons: Reason[] = [];
  if (agentSwitched) {
    const detail =
      "The user was at this address with another system or device less than 10 minutes ago.";
    reasons.push(createReason("agent_switch", weights.agentSwitch, detail));
  }
  if (reported.length > 0) {
    const strongest = Math.max(...reported.map((part) => weights.reportedFraud[part]));
    const shared = joinNames(reported.map((part) => levelNames[part]));
    const detail = `The session has the same ${shared} as a session reported as fraud.`;
    reasons.push(createReason("reported_fraud", strongest, detail));
  }
  if (crowd !== null) reasons.push(...findStuffingReasons(evidence, crowd));
  return reasons;
}

/** Many identities tried from one address or block: credential stuffing, or an office. */
function findStuffingReasons(
  evidence: SessionEvidence,
  { fromAddress, fromPrefix }: NonNullable<SessionEvidence["crowd"]>,
): Reason[] {
  // Many users share every address of a privacy relay.
  if (evidence.network.facts?.kinds.includes("relay")) return [];
  const { address, prefix, atKnownAddress } = weights.stuffing;
  const strength = Math.max(findStep(address, fromAddress), findStep(prefix, fromPrefix));
  if (strength === 0) return [];
  const detail = `Within 10 minutes, ${formatCount(fromAddress, "user")} had attempts from this address and ${fromPrefix} from its block.`;
  return [
    createReason(
      "credential_stuffing",
      isAtKnownAddress(evidence) ? strength * atKnownAddress : strength,
      detail,
    ),
  ];
}
