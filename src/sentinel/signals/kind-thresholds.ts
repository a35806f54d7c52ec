/**
 * The tenant's thresholds by kind of attacker (pure). They raise the recommendation that follows from the score, and
 * never lower it.
 */
import type { RiskPolicy } from "../assessment.ts";
import type { Kinds } from "../kinds.ts";
import { createReason, type Reason } from "../reason.ts";
import { type Recommendation, recommendations } from "../score.ts";
import { attackerKinds } from "../weights.ts";

interface Raised {
  readonly recommendation: Recommendation;
  readonly reason: Reason;
}

const demands = [
  { recommendation: "deny", threshold: "denyAt", verb: "denies" },
  { recommendation: "challenge", threshold: "challengeAt", verb: "challenges" },
] as const;

function isStricter(left: Recommendation, right: Recommendation): boolean {
  return recommendations.indexOf(left) > recommendations.indexOf(right);
}

/** The recommendation that a threshold demands; undefined if none demands more than the score does. */
export function raiseByKind(
  byScore: Recommendation,
  kinds: Kinds,
  thresholds: RiskPolicy["kinds"] = {},
): Raised | undefined {
  for (const { recommendation, threshold, verb } of demands) {
    if (!isStricter(recommendation, byScore)) continue;
    const reached = attackerKinds.flatMap((kind) => {
      const from = thresholds[kind]?.[threshold];
      const isReached = from !== undefined && kinds[kind] >= from;
      return isReached ? [`${kind} (${kinds[kind]}, from ${from})`] : [];
    });
    if (reached.length === 0) continue;
    const detail = `The tenant ${verb} a session by the probability of this kind of attacker: ${reached.join(", ")}.`;
    return { recommendation, reason: createReason("kind_threshold", 0, detail) };
  }
  return undefined;
}
