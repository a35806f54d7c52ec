/** The signals that compare the session with the identity's history and with recent activity (pure). */

import { computeContributions } from "../behaviour/attacker-model.ts";
import type { BehaviourEvidence, LevelEvidence, SessionEvidence } from "../evidence.ts";
import {
  createReason,
  formatCount,
  type IsOff,
  joinNames,
  levelNames,
  type Reason,
} from "../reason.ts";
import { weights } from "../weights.ts";
import { findStep, isAtKnownAddress } from "./known-address.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** "known country and network, new address block". */
function describeLevels(compared: readonly LevelEvidence[]): string {
  const known = compared.filter(({ seen }) => seen).map(({ level }) => levelNames[level]);
  const fresh = compared.filter(({ seen }) => !seen).map(({ level }) => levelNames[level]);
  return [
    ...(known.length === 0 ? [] : [`known ${joinNames(known)}`]),
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
  // The sign follows from this comparison (see attacker-model.ts), and so must the sentence.
  const frequency = hour < 0 ? "more" : "less";
  const hourDetail = `This user logs in at this hour ${frequency} often than is expected of other users.`;
  return [...reasons, createReason("hour_of_week", hour, hourDetail)];
}

export function findBehaviourReasons(evidence: SessionEvidence, isOff: IsOff): Reason[] {
  const { behaviour, travel, agentSwitched, reported, crowd } = evidence;
  const reasons = behaviour === null ? [] : findHabitReasons(behaviour, isOff);
  if (travel !== null) {
    const detail = `This session is at least ${Math.round(travel.kilometres)} km and ${travel.hours.toFixed(1)} hours from the last confirmed one.`;
    reasons.push(createReason("impossible_travel", weights.impossibleTravel, detail));
  }
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
