/**
 * The signal about fraud near the session (pure): within a day, a session of any user of the tenant was reported as
 * fraud that has the same address, block or agent. What the history of the user has says nothing against the user: an
 * office and a common browser are shared by many.
 *
 * Source: the tenant watch (activity/tenant-watch.ts), which `POST /v1/sentinel/feedback` tells. Reports about this
 * user's own sessions count in `reported_fraud` and not here.
 */
import type { reportedParts, SessionEvidence } from "../evidence.ts";
import { createReason, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";
import { joinNames, levelNames } from "./level-names.ts";

type ReportedPart = (typeof reportedParts)[number];

function isKnownPart({ behaviour }: SessionEvidence, part: ReportedPart): boolean {
  const compared = [...(behaviour?.network ?? []), ...(behaviour?.agent ?? [])];
  return compared.some(({ level, seen }) => level === part && seen);
}

/** The parts that count: neither reported of this user's own sessions, nor known from the history. */
export function listNearbyParts(evidence: SessionEvidence): readonly ReportedPart[] {
  return (evidence.nearbyFraud ?? []).filter(
    (part) => !evidence.reported.includes(part) && !isKnownPart(evidence, part),
  );
}

export function findNearbyFraudReasons(evidence: SessionEvidence): Reason[] {
  const shared = listNearbyParts(evidence);
  if (shared.length === 0) return [];
  const strength = Math.max(...shared.map((part) => weights.nearbyFraud[part]));
  const names = joinNames(shared.map((part) => levelNames[part]));
  const detail = `The session has the same ${names} as a session of the tenant that was reported as fraud within a day.`;
  return [createReason("nearby_fraud", strength, detail)];
}
