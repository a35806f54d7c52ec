/**
 * The signal about stuffing that is spread over a network (pure): many users tried within ten minutes from one
 * autonomous system, or one IPv6 /32, that is new to each of them. An attacker with forty /48s of one hoster is below
 * every limit by address and by block.
 *
 * Source: the tenant watch (activity/tenant-watch.ts). New users of a large provider come from one network too, so only
 * those count that exceed the network's share of the population by more than two standard deviations. A count of
 * independent logins has a Poisson distribution, whose variance is its mean.
 */
import type { SessionEvidence } from "../evidence.ts";
import { createReason, formatCount, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";
import { findStep, isAtKnownAddress } from "./known-address.ts";

export function findNetworkStuffingReasons(evidence: SessionEvidence): Reason[] {
  const { networkCrowd, network } = evidence;
  // Many users share every network of a privacy relay.
  if (networkCrowd === undefined || network.facts?.kinds.includes("relay")) return [];
  const { users, fromNetwork, share } = networkCrowd;
  const { steps, assumedShare, atKnownAddress } = weights.networkStuffing;
  const expected = users * (share ?? assumedShare);
  const strength = findStep(steps, fromNetwork - expected - 2 * Math.sqrt(expected));
  if (strength === 0) return [];
  const detail = `Within 10 minutes, ${fromNetwork} of ${formatCount(users, "user")} in networks that are new to them had attempts from this session's network.`;
  const contribution = isAtKnownAddress(evidence) ? strength * atKnownAddress : strength;
  return [createReason("network_stuffing", contribution, detail)];
}
