/** What the contribution of a signal is (pure). */
import type { ReasonName } from "../reason.ts";

/**
 * `ratio`: follows from how probable the session is for an attacker and for the user. `weight`: a weight of the model,
 * which circumstances may lower, and no ratio. `rule`: no evidence; it bounds or fixes the recommendation.
 */
export const bases = ["ratio", "weight", "rule"] as const;
export type Basis = (typeof bases)[number];

const ofRatio: readonly ReasonName[] = [
  "vpn",
  "hosting_network",
  "privacy_relay",
  "reserved_address",
  "network_history",
  "agent_history",
  "hour_of_week",
  "client_history",
  "gradual_change",
];
const ofRule: readonly ReasonName[] = [
  "user_locked",
  "user_suspended",
  "test_address",
  "kind_threshold",
];

export function basisOf(signal: ReasonName): Basis {
  if (ofRatio.includes(signal)) return "ratio";
  return ofRule.includes(signal) ? "rule" : "weight";
}
