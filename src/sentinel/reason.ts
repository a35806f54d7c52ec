/** The names of the signals and rules, and the reason that one gives (pure). */

/** The signals and the rules. Stored assessments depend on this order: only append. */
export const reasonNames = [
  "tenant_deny_list",
  "tenant_allow_list",
  "threat_list",
  "tor_exit",
  "vpn",
  "proxy",
  "scanner",
  "hosting_network",
  "privacy_relay",
  "reserved_address",
  "agent_empty",
  "agent_headless",
  "agent_scripted",
  "agent_impossible",
  "agent_switch",
  "network_history",
  "agent_history",
  "hour_of_week",
  "impossible_travel",
  "reported_fraud",
  "credential_stuffing",
  "user_mismatch",
  "recent_failures",
  "locked",
  "velocity",
  "user_locked",
  "user_suspended",
  "test_address",
  "known_device",
  "no_known_device",
  "kind_threshold",
  "client_history",
  "gradual_change",
  "network_stuffing",
  "many_networks",
  "nearby_fraud",
] as const;
export type ReasonName = (typeof reasonNames)[number];

/** The rules that bound or fix the recommendation, whatever the score. No policy switches them off. */
const ruleNames = [
  "user_locked",
  "user_suspended",
  "test_address",
  "kind_threshold",
] as const satisfies readonly ReasonName[];
export type SignalName = Exclude<ReasonName, (typeof ruleNames)[number]>;

function isSignal(name: ReasonName): name is SignalName {
  return !ruleNames.some((rule) => rule === name);
}

/** What a policy can switch off. */
export const signalNames: readonly SignalName[] = reasonNames.filter(isSignal);

export interface Reason {
  readonly signal: ReasonName;
  /** Log-odds. The sum of all contributions and the prior gives the score. */
  readonly contribution: number;
  /** A sentence for people. */
  readonly detail: string;
}

/** As contributions are answered and stored. */
export function roundContribution(contribution: number): number {
  // Adding 0 turns the -0 of rounding into 0.
  return Math.round(contribution * 1e4) / 1e4 + 0;
}

/** Whether the tenant has switched a signal off. */
export type IsOff = (signal: SignalName) => boolean;

export function createReason(signal: ReasonName, contribution: number, detail: string): Reason {
  return { signal, contribution, detail };
}

/** "1 code", "2 codes". */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
