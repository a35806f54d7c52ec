/**
 * The signal about one user who is tried from many networks within ten minutes (pure), as by an attacker behind
 * residential proxies. A person has two or three: the house, the phone, a VPN.
 *
 * Source: the sessions that the identity's guard keeps, whatever their verdict.
 */
import type { SessionEvidence } from "../evidence.ts";
import { createReason, formatCount, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";
import { findStep, isAtKnownAddress } from "./known-address.ts";

export function findManyNetworksReasons(evidence: SessionEvidence): Reason[] {
  const { triedFrom } = evidence;
  if (triedFrom === undefined) return [];
  const { blocks, networks, atKnownAddress } = weights.manyNetworks;
  const strength = Math.max(
    findStep(blocks, triedFrom.blocks),
    findStep(networks, triedFrom.networks),
  );
  if (strength === 0) return [];
  const detail = `Within 10 minutes, the user had sessions from ${formatCount(triedFrom.blocks, "address block")} in ${formatCount(triedFrom.networks, "network")}.`;
  const contribution = isAtKnownAddress(evidence) ? strength * atKnownAddress : strength;
  return [createReason("many_networks", contribution, detail)];
}
