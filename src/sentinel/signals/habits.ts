/**
 * The four signals about habits (pure): network, agent, hour and client, compared with the user's history.
 * Their source is the history of the identity's guard and the tenant's population (behaviour/). They cannot see an
 * attacker who has the victim's own computer, and they know nothing before the first session that counts.
 */
import { type BehaviourContributions, computeContributions } from "../behaviour/attacker-model.ts";
import type { BehaviourEvidence, LevelEvidence } from "../evidence.ts";
import { createReason, formatCount, type IsOff, type Reason } from "../reason.ts";
import { joinNames, levelNames } from "./level-names.ts";

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** The parts of the habits whose signals the tenant has switched off. */
export function listHabitsOff(isOff: IsOff): readonly (keyof BehaviourContributions)[] {
  return [
    ...(isOff("network_history") ? (["network"] as const) : []),
    ...(isOff("agent_history") ? (["agent"] as const) : []),
    ...(isOff("hour_of_week") ? (["hour"] as const) : []),
    ...(isOff("client_history") ? (["client"] as const) : []),
  ];
}

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

function formatHistory({ sinceLastMs, logins, weak = 0 }: BehaviourEvidence): string {
  const proven = weak === 0 ? "confirmed session" : "session";
  const unproven = weak === 0 ? "" : `, ${weak} of them allowed and never reported`;
  return `${formatAge(sinceLastMs)} after the last of ${formatCount(logins, proven)}${unproven}`;
}

/** Which side the evidence is on. The words follow from the sign, so they cannot contradict it. */
function nameSide(contribution: number): string {
  return contribution < 0
    ? "this is likelier of the user than of an attacker"
    : "this is likelier of an attacker than of the user";
}

export function findHabitReasons(behaviour: BehaviourEvidence | null, isOff: IsOff): Reason[] {
  if (behaviour === null) return [];
  const off = listHabitsOff(isOff);
  const { network, agent, hour, client } = computeContributions(behaviour, off);
  const reasons: Reason[] = [];
  if (behaviour.network.length > 0) {
    const found = `${describeLevels(behaviour.network)}, ${formatHistory(behaviour)}`;
    const detail = toSentence(`${found}: ${nameSide(network)}`);
    reasons.push(createReason("network_history", network, detail));
  }
  if (behaviour.agent.length > 0) {
    const detail = toSentence(
      `${describeLevels(behaviour.agent)}: with such a network, ${nameSide(agent)}`,
    );
    reasons.push(createReason("agent_history", agent, detail));
  }
  if (behaviour.client !== undefined) {
    const detail = toSentence(`${describeLevels(behaviour.client)}: ${nameSide(client)}`);
    reasons.push(createReason("client_history", client, detail));
  }
  // The sign follows from this comparison (see attacker-model.ts), and so must the sentence.
  const frequency = hour < 0 ? "more" : "less";
  const hourDetail = `This user logs in at this hour ${frequency} often than is expected of other users.`;
  return [...reasons, createReason("hour_of_week", hour, hourDetail)];
}
