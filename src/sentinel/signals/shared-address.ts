/**
 * The signals about addresses that belong to nobody or to everybody (pure): privacy relays and reserved ranges. Their
 * source is the public lists and the ranges of RFC 6890, and the user's own history: nothing can be compared behind
 * such an address, but that somebody comes from there can. They cannot see who is behind it.
 */
import type { SessionEvidence } from "../evidence.ts";
import { createReason, formatCount, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";

function findUse({ behaviour }: SessionEvidence): { count: number; all: number } {
  return behaviour?.relays ?? { count: 0, all: 0 };
}

function weighUse(evidence: SessionEvidence): number {
  const { minLogins, attackers, assumed, trust, max } = weights.sharedAddress;
  const { count, all } = findUse(evidence);
  if (all < minLogins) return 0;
  const usual = (trust * assumed + count) / (trust + all);
  return Math.min(max, Math.max(0, Math.log(attackers / usual)));
}

/** With weight, the sentence says why: the user comes from such an address less often than others do. */
function describeUse(evidence: SessionEvidence, strength: number): string {
  if (strength === 0) return "which ordinary users share";
  const { count, all } = findUse(evidence);
  return `from which ${count} of this user's ${formatCount(all, "session")} came`;
}

export function createRelayReason(evidence: SessionEvidence): Reason {
  const strength = weighUse(evidence);
  const detail = `The address is a privacy relay, ${describeUse(evidence, strength)}.`;
  return createReason("privacy_relay", strength, detail);
}

export function createReservedReason(evidence: SessionEvidence, range: string): Reason {
  const strength = weighUse(evidence);
  const use = strength === 0 ? "" : `, ${describeUse(evidence, strength)}`;
  const detail = `The address is in a special range (${range})${use}.`;
  return createReason("reserved_address", strength, detail);
}
