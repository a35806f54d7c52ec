/**
 * Signals (pure): each looks at the facts of a session and gives its evidence in log-odds, with a
 * sentence that says why. A signal without evidence gives nothing; two say so with a contribution of
 * 0, because silence about a reserved address or a privacy relay would be misread.
 */
import type { AgentKind } from "./agent.ts";
import type { NetworkFacts } from "./network/facts.ts";
import { mostFailuresCounted, velocityLimits, weights } from "./weights.ts";

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
  "user_mismatch",
  "recent_failures",
  "locked",
  "velocity",
] as const;
export type SignalName = (typeof signalNames)[number];

export interface Reason {
  readonly signal: SignalName;
  /** Log-odds; the reasons' sum on top of the prior is the score. */
  readonly contribution: number;
  readonly detail: string;
}

/** Facts about the address, gathered before the guard is asked. */
export interface NetworkEvidence {
  /** What the imported lists know of the address; null: nothing. */
  readonly facts: NetworkFacts | null;
  /** Name of the special range, such as `private`; null for an ordinary address. */
  readonly reservedRange: string | null;
  readonly tenantList: "allow" | "deny" | null;
  /** The lists could not be asked: no evidence, and the answer says so. */
  readonly degraded: boolean;
}

/** Facts about the identity, from its guard. */
export interface IdentityEvidence {
  readonly failedAttempts: number;
  readonly locked: boolean;
  /** Attempts (codes and assessments) in each window of `velocityLimits`. */
  readonly attempts: readonly number[];
}

/** Everything a score is computed from; stored with the assessment. */
export interface SessionEvidence {
  readonly network: NetworkEvidence;
  readonly agent: AgentKind;
  /** The session's user id was sent and is not this identity's external_id. */
  readonly userMismatch: boolean;
  readonly identity: IdentityEvidence;
}

function networkReasons(
  { facts, reservedRange, tenantList }: NetworkEvidence,
  agent: AgentKind,
  isOff: (signal: SignalName) => boolean,
): Reason[] {
  const reasons: Reason[] = [];
  const add = (signal: SignalName, contribution: number, detail: string) =>
    reasons.push({ signal, contribution, detail });
  if (reservedRange !== null) {
    add("reserved_address", 0, `The address is of a special range (${reservedRange}).`);
  }
  if (tenantList === "deny") {
    add("tenant_deny_list", weights.tenantDenyList, "The address is on the tenant's deny list.");
  }
  if (tenantList === "allow" && !isOff("tenant_allow_list")) {
    // The tenant vouches for the network, so what public lists say of it is not asked.
    add("tenant_allow_list", weights.tenantAllowList, "The address is on the tenant's allow list.");
    return reasons;
  }
  if (facts === null) return reasons;
  const is = (kind: NetworkFacts["kinds"][number]) => facts.kinds.includes(kind);
  if (facts.threatGrade > 0) {
    const grade = Math.min(facts.threatGrade, weights.threatListed.length);
    const lists =
      facts.threatGrade === 1 ? "1 threat list names" : `${facts.threatGrade} threat lists name`;
    add("threat_list", weights.threatListed[grade - 1] ?? 0, `${lists} the address.`);
  }
  if (is("tor")) add("tor_exit", weights.torExit, "The address is a Tor exit.");
  if (is("scanner")) add("scanner", weights.scanner, "The address scans the internet.");
  if (is("relay") && !isOff("privacy_relay")) {
    add("privacy_relay", 0, "The address is a privacy relay, shared by ordinary users.");
    return reasons;
  }
  if (is("vpn")) add("vpn", weights.vpn, "The address belongs to a VPN.");
  if (is("proxy")) add("proxy", weights.proxy, "The address is an open proxy.");
  const hosted = is("hosting") || is("cloud") || is("crawler");
  if (hosted && agent === "browser") {
    add("hosting_network", weights.hostingWithBrowser, "A browser, but from a hosting network.");
  }
  return reasons;
}

function agentReasons(agent: AgentKind): Reason[] {
  switch (agent) {
    case "empty":
      return [
        { signal: "agent_empty", contribution: weights.agentEmpty, detail: "No user agent." },
      ];
    case "headless":
      return [
        {
          signal: "agent_headless",
          contribution: weights.agentHeadless,
          detail: "A browser under automation.",
        },
      ];
    case "scripted":
      return [
        {
          signal: "agent_scripted",
          contribution: weights.agentScripted,
          detail: "A script, library or bot.",
        },
      ];
    default:
      return [];
  }
}

function identityReasons({ failedAttempts, locked, attempts }: IdentityEvidence): Reason[] {
  const reasons: Reason[] = [];
  if (failedAttempts > 0) {
    const counted = Math.min(failedAttempts, mostFailuresCounted);
    reasons.push({
      signal: "recent_failures",
      contribution: counted * weights.failedAttempt,
      detail: `${failedAttempts} failed ${failedAttempts === 1 ? "code" : "codes"} in a row.`,
    });
  }
  if (locked) {
    reasons.push({ signal: "locked", contribution: weights.locked, detail: "The user is locked." });
  }
  const exceeded = velocityLimits.filter((limit, index) => (attempts[index] ?? 0) > limit.attempts);
  if (exceeded.length > 0) {
    const windows = exceeded.map(({ name, attempts: most }) => `over ${most} in one ${name}`);
    reasons.push({
      signal: "velocity",
      contribution: exceeded.length * weights.velocity,
      detail: `Attempts: ${windows.join(", ")}.`,
    });
  }
  return reasons;
}

/** All reasons for the session, strongest first. Signals in `off` are not asked. */
export function reasonsFor(evidence: SessionEvidence, off: readonly string[]): readonly Reason[] {
  const isOff = (signal: SignalName) => off.includes(signal);
  const mismatch: Reason[] = evidence.userMismatch
    ? [
        {
          signal: "user_mismatch",
          contribution: weights.userMismatch,
          detail: "The session's user_id is not this user's external_id.",
        },
      ]
    : [];
  return [
    ...networkReasons(evidence.network, evidence.agent, isOff),
    ...agentReasons(evidence.agent),
    ...mismatch,
    ...identityReasons(evidence.identity),
  ]
    .filter(({ signal }) => !isOff(signal))
    .map((reason) => ({ ...reason, contribution: Math.round(reason.contribution * 1e4) / 1e4 }))
    .toSorted((left, right) => Math.abs(right.contribution) - Math.abs(left.contribution));
}
