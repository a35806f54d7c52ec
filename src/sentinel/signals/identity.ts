/** What the identity's guard has counted (pure). */
import type { IdentityEvidence } from "../evidence.ts";
import { formatCount, type Reason, createReason } from "../reason.ts";
import { maxFailuresCounted, velocityLimits, weights } from "../weights.ts";

export function findIdentityReasons({
  failedAttempts,
  locked,
  attempts,
}: IdentityEvidence): Reason[] {
  const reasons: Reason[] = [];
  if (failedAttempts > 0) {
    const strength = Math.min(failedAttempts, maxFailuresCounted) * weights.failedAttempt;
    const detail = `${formatCount(failedAttempts, "failed code")} in a row.`;
    reasons.push(createReason("recent_failures", strength, detail));
  }
  if (locked) reasons.push(createReason("locked", weights.locked, "The user is locked."));
  const exceeded = velocityLimits.filter((limit, index) => (attempts[index] ?? 0) > limit.attempts);
  if (exceeded.length > 0) {
    const windows = exceeded.map(({ name, attempts: most }) => `over ${most} in one ${name}`);
    const detail = `Attempts: ${windows.join(", ")}.`;
    reasons.push(createReason("velocity", exceeded.length * weights.velocity, detail));
  }
  return reasons;
}
