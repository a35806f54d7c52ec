/** The names of the signals, and the reason that a signal gives (pure). */

/** Stored assessments depend on this order: only append. */
export const signalNames = [
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
] as const;
export type SignalName = (typeof signalNames)[number];

/**
 * The rules that bound the recommendation, whatever the score. No policy switches them off. Stored assessments
 * depend on the order of `reasonNames`, so a new signal goes to the end of it too.
 */
export const ruleNames = ["user_locked", "user_suspended"] as const;
export const reasonNames = [...signalNames, ...ruleNames] as const;
export type ReasonName = (typeof reasonNames)[number];

export interface Reason {
  readonly signal: ReasonName;
  /** Log-odds. The sum of all contributions and the prior gives the score. */
  readonly contribution: number;
  /** A sentence for people. */
  readonly detail: string;
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
