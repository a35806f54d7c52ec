/** What the identity's guard has counted (pure). */
import type { IdentityEvidence } from "../evidence.ts";
import { counted, type Reason, reason } from "../reason.ts";
import { maxFailuresCounted, velocityLimits, weights } from "../weights.ts";

export function identityReasons({ failedAttempts, locked, attempts }: IdentityEvidence): Reason[] {
  const reasons: Reason[] = [];
  if (failedAttempts > 0) {
    const strength = Math.min(failedAttempts, maxFailuresCounted) * weights.failedAttempt;
    const detail = `${counted(failedAttempts, "failed code")} in a row.`;
    reasons.push(reason("recent_failures", strength, detail));
  }
  if (locked) reasons.push(reason("locked", weights.locked, "The user is locked."));
  const exceeded = velocityLimits.filter((limit, index) => (attempts[index] ?? 0) > limit.attempts);
  if (exceeded.length > 0) {
    const windows = exceeded.map(({ name, attempts: most }) => `over ${most} in one ${name}`);
    const detail = `Attempts: ${windows.join(", ")}.`;
    reasons.push(reason("velocity", exceeded.length * weights.velocity, detail));
  }
  return reasons;
}
