/**
 * The signal about a history that has changed step by step (pure). Its source is a second comparison, with what was
 * known a week ago: an attacker that moves from the user's habits to its own in small daily steps, each of them
 * harmless, is compared with where it began. One new network and a new
 * device are a journey or a move. It cannot see a change that is spread over more than a week.
 */
import { computeContributions } from "../behaviour/attacker-model.ts";
import type { SessionEvidence } from "../evidence.ts";
import { createReason, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";

/** @param habits what the signals about habits contribute together */
export function findGradualChangeReasons(
  { settled, networksSince = 0 }: SessionEvidence,
  habits: number,
): Reason[] {
  if (settled === undefined) return [];
  const { network, agent } = computeContributions(settled);
  const before = network + agent;
  const { max, maxInOneNetwork } = weights.gradualChange;
  const bound = networksSince > 1 ? max : maxInOneNetwork;
  const strength = before <= 0 ? 0 : Math.max(0, Math.min(bound, before) - habits);
  const detail =
    "Much of what this session has in common with the history is new within the last 7 days.";
  return [createReason("gradual_change", strength, detail)];
}
