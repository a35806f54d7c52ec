/**
 * The signal about stuffing that is spread over a network (pure): many users tried within ten minutes from one
 * autonomous system, or one IPv6 /32, that is new to each of them. An attacker with forty /48s of one hoster is below
 * every limit by address and by block.
 *
 * Source: the tenant watch (activity/tenant-watch.ts). New users of a large provider come from one network too, so only
 * those count that exceed the network's share of the population by more than two standard deviations. A count of
 * independent logins has a Poisson distribution, whose variance is its mean. The users from the session's own block are
 * left out, because `credential_stuffing` counts them: an office would be counted twice.
 */
import type { NetworkCrowd, SessionEvidence } from "../evidence.ts";
import type { NetworkKind } from "../network/network-facts.ts";
import { createReason, formatCount, type Reason } from "../reason.ts";
import { trust, weights } from "../weights.ts";
import { findStep, isAtKnownAddress } from "./known-address.ts";

const exitKinds: readonly NetworkKind[] = ["hosting", "cloud", "vpn", "proxy", "tor"];

/** The share that is assumed of a network before a population is known. */
export function assumeShare(kinds: readonly NetworkKind[]): number {
  const { ofExit, ofProvider } = weights.networkStuffing.assumedShares;
  return kinds.some((kind) => exitKinds.includes(kind)) ? ofExit : ofProvider;
}

/** The share of the tenant's users who have the network, as far as the population shows it. */
function estimateShare({ population }: NetworkCrowd, kinds: readonly NetworkKind[]): number {
  const { count, all } = population ?? { count: 0, all: 0 };
  return (count + trust.shares * assumeShare(kinds)) / (all + trust.shares);
}

export function findNetworkStuffingReasons(evidence: SessionEvidence): Reason[] {
  const { networkCrowd, network, crowd } = evidence;
  const { kinds = [] } = network.facts ?? {};
  // Many users share every network of a privacy relay, and a reserved address belongs to none.
  const isShared = kinds.includes("relay") || network.reservedRange !== null;
  if (networkCrowd === undefined || isShared) return [];
  const { users, fromNetwork } = networkCrowd;
  const { steps, atKnownAddress } = weights.networkStuffing;
  const expected = users * estimateShare(networkCrowd, kinds);
  const inOtherBlocks = fromNetwork - Math.max(0, (crowd?.fromPrefix ?? 0) - 1);
  const strength = findStep(steps, inOtherBlocks - expected - 2 * Math.sqrt(expected));
  if (strength === 0) return [];
  const detail = `Within 10 minutes, ${fromNetwork} of ${formatCount(users, "user")} in networks that are new to them had attempts from this session's network.`;
  const contribution = isAtKnownAddress(evidence) ? strength * atKnownAddress : strength;
  return [createReason("network_stuffing", contribution, detail)];
}
