/** How the session compares with what the identity is known by (pure). */

import { computeContributions } from "../behaviour/attacker-model.ts";
import type { BehaviourEvidence, LevelEvidence, SessionEvidence } from "../evidence.ts";
import { formatCount, type IsOff, type Reason, createReason } from "../reason.ts";
import { weights } from "../weights.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

const levelNames = {
  country: "country",
  asn: "network",
  prefix: "address block",
  address: "address",
  device: "kind of device",
  os: "operating system",
  family: "browser",
  browser: "browser version",
  agent: "user agent",
} as const;

/** "known country and network, new address block". */
function describeLevels(compared: readonly LevelEvidence[]): string {
  const known = compared.filter(({ seen }) => seen).map(({ level }) => levelNames[level]);
  const fresh = compared.filter(({ seen }) => !seen).map(({ level }) => levelNames[level]);
  const last = known.pop();
  const listed = known.length > 0 ? `${known.join(", ")} and ${last}` : last;
  return [
    ...(listed === undefined ? [] : [`known ${listed}`]),
    ...fresh.map((name) => `new ${name}`),
  ].join(", ");
}

function toSentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function formatAge(sinceMs: number): string {
  if (sinceMs < hourMs) return "less than an hour";
  return sinceMs < 2 * dayMs
    ? formatCount(Math.round(sinceMs / hourMs), "hour")
    : formatCount(Math.round(sinceMs / dayMs), "day");
}

function findHabitReasons(behaviour: BehaviourEvidence, isOff: IsOff): Reason[] {
  const { network, agent, hour } = computeContributions(behaviour, [
    ...(isOff("network_history") ? (["network"] as const) : []),
    ...(isOff("agent_history") ? (["agent"] as const) : []),
    ...(isOff("hour_of_week") ? (["hour"] as const) : []),
  ]);
  const since = `${formatAge(behaviour.sinceLastMs)} after the last of ${formatCount(behaviour.logins, "confirmed session")}`;
  const reasons: Reason[] = [];
  if (behaviour.network.length > 0) {
    const detail = toSentence(`${describeLevels(behaviour.network)}, ${since}`);
    reasons.push(createReason("network_history", network, detail));
  }
  if (behaviour.agent.length > 0) {
    reasons.push(createReason("agent_history", agent, toSentence(describeLevels(behaviour.agent))));
  }
  const usual = behaviour.hour.own >= 1 ? "A usual" : "An unusual";
  return [...reasons, createReason("hour_of_week", hour, `${usual} hour for this user.`)];
}

export function findBehaviourReasons(evidence: SessionEvidence, isOff: IsOff): Reason[] {
  const { behaviour, travel, agentSwitched, reported, crowd } = evidence;
  const reasons = behaviour === null ? [] : findHabitReasons(behaviour, isOff);
  if (travel !== null) {
    const detail = `${Math.round(travel.kilometres)} km from the last confirmed session in ${travel.hours.toFixed(1)} hours.`;
    reasons.push(createReason("impossible_travel", weights.impossibleTravel, detail));
  }
  if (agentSwitched) {
    const detail = "Another system or device was at this address minutes ago.";
    reasons.push(createReason("agent_switch", weights.agentSwitch, detail));
  }
  if (reported.length > 0) {
    const strongest = Math.max(...reported.map((part) => weights.reportedFraud[part]));
    const detail = `Shares ${reported.map((part) => levelNames[part]).join(", ")} with a session reported as fraud.`;
    reasons.push(createReason("reported_fraud", strongest, detail));
  }
  if (crowd !== null) reasons.push(...findStuffingReasons(evidence, crowd));
  return reasons;
}

function findStrength(
  steps: readonly { readonly identities: number; readonly contribution: number }[],
  identities: number,
): number {
  return steps.findLast((step) => identities >= step.identities)?.contribution ?? 0;
}

/** Many identities from one place: credential stuffing, or an office. */
function findStuffingReasons(
  { behaviour, network }: SessionEvidence,
  { fromAddress, fromPrefix }: NonNullable<SessionEvidence["crowd"]>,
): Reason[] {
  // Behind a privacy relay there always is a crowd.
  if (network.facts?.kinds.includes("relay")) return [];
  const { address, prefix, atKnownAddress } = weights.stuffing;
  const strength = Math.max(findStrength(address, fromAddress), findStrength(prefix, fromPrefix));
  if (strength === 0) return [];
  const isHome = behaviour?.network.some(({ level, seen }) => level === "address" && seen);
  const detail = `${formatCount(fromAddress, "user")} tried from the address, ${fromPrefix} from its block, in 10 minutes.`;
  return [
    createReason("credential_stuffing", isHome ? strength * atKnownAddress : strength, detail),
  ];
}
