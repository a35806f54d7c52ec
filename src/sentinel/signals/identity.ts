/** The signals about what the identity's guard has counted (pure). */
import type { IdentityEvidence } from "../evidence.ts";
import { createReason, type Reason } from "../reason.ts";
import { maxFailuresCounted, velocityLimits, weights } from "../weights.ts";

export function findIdentityReasons({
  failedAttempts,
  locked,
  attempts,
}: IdentityEvidence): Reason[] {
  const reasons: Reason[] = [];
  if (failedAttempts > 0) {
    const strength = Math.min(failedAttempts, maxFailuresCounted) * weights.failedAttempt;
    const detail =
      failedAttempts === 1 ? "The last code failed." : `The last ${failedAttempts} codes failed.`;
    reasons.push(createReason("recent_failures", strength, detail));
  }
  if (locked) reasons.push(createReason("locked", weights.locked, "The user is locked."));
  const exceeded = velocityLimits.filter((limit, index) => (attempts[index] ?? 0) > limit.attempts);
  if (exceeded.length > 0) {
    const rates = exceeded.map(({ name, attempts: max }) => `more than ${max} per ${name}`);
    const detail = `The user's attempts exceed what a person makes: ${rates.join(", ")}.`;
    reasons.push(createReason("velocity", exceeded.length * weights.velocity, detail));
  }
  return reasons;
}
