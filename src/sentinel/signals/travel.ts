/**
 * The signal about a journey that no person can make (pure). Its source is the country of the network data for this
 * session and for the last one that counts (behaviour/travel.ts). Addresses that hide the place (VPN, relay, hosting,
 * satellite) are not compared, and a phone abroad may leave through a distant exit of its carrier: its journey is
 * evidence, but does not lead to a challenge by itself. It cannot see a journey within a country or to a neighbour.
 */
import type { SessionEvidence } from "../evidence.ts";
import { createReason, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";

/** Whether the journey alone forbids to allow the session. An address on the allow list is the tenant's own exit. */
export function isBinding({ travel, context, network }: SessionEvidence): boolean {
  const isRoaming = context.device === "mobile" || context.device === "tablet";
  return travel !== null && !isRoaming && network.tenantList?.list !== "allow";
}

/**
 * @param others what all other signals contribute together
 * @param max the most that the signal may contribute, unless the journey is binding
 */
export function findTravelReasons(
  evidence: SessionEvidence,
  others: number,
  max: number,
): Reason[] {
  const { travel } = evidence;
  if (travel === null) return [];
  const { alone, withOthers } = weights.impossibleTravel;
  const least = isBinding(evidence) ? withOthers - others : 0;
  const strength = Math.max(Math.min(alone, Math.max(0, max)), least);
  const found = `This session is at least ${Math.round(travel.kilometres)} km and ${travel.hours.toFixed(1)} hours from the last confirmed one`;
  const detail = isBinding(evidence)
    ? `${found}, so it is not allowed without a factor.`
    : `${found}.`;
  return [createReason("impossible_travel", strength, detail)];
}

/** Whether a session with these reasons must not be allowed, wherever the tenant's threshold is. */
export function forbidsToAllow(evidence: SessionEvidence, reasons: readonly Reason[]): boolean {
  return isBinding(evidence) && reasons.some(({ signal }) => signal === "impossible_travel");
}
