/** The signals about the address: public lists, the tenant's lists and special ranges (pure). */
import type { SessionEvidence } from "../evidence.ts";
import type { NetworkKind } from "../network/network-facts.ts";
import { createReason, formatCount, type IsOff, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";
import { findExitReasons } from "./exits.ts";
import { createRelayReason, createReservedReason } from "./shared-address.ts";

function findListReasons(evidence: SessionEvidence, isOff: IsOff): Reason[] {
  const { facts } = evidence.network;
  if (facts === null) return [];
  const reasons: Reason[] = [];
  const is = (kind: NetworkKind) => facts.kinds.includes(kind);
  if (facts.threatGrade > 0) {
    const grade = Math.min(facts.threatGrade, weights.threatListed.length);
    const lists = `${formatCount(facts.threatGrade, "threat list")} ${facts.threatGrade === 1 ? "names" : "name"}`;
    reasons.push(
      createReason("threat_list", weights.threatListed[grade - 1] ?? 0, `${lists} the address.`),
    );
  }
  if (is("tor"))
    reasons.push(createReason("tor_exit", weights.torExit, "The address is a Tor exit."));
  if (is("scanner")) {
    reasons.push(createReason("scanner", weights.scanner, "The address scans the internet."));
  }
  if (is("relay") && !isOff("privacy_relay")) {
    return [...reasons, createRelayReason(evidence)];
  }
  if (is("proxy")) {
    reasons.push(createReason("proxy", weights.proxy, "The address is an open proxy."));
  }
  return [...reasons, ...findExitReasons(evidence)];
}

export function findNetworkReasons(evidence: SessionEvidence, isOff: IsOff): Reason[] {
  const { reservedRange, tenantList } = evidence.network;
  const reasons: Reason[] = [];
  if (reservedRange !== null) {
    reasons.push(createReservedReason(evidence, reservedRange));
  }
  if (tenantList?.list === "deny") {
    const detail = "The address is on the tenant's deny list.";
    reasons.push(createReason("tenant_deny_list", weights.tenantDenyList, detail));
  }
  if (tenantList?.list === "allow" && !isOff("tenant_allow_list")) {
    // The tenant trusts the network, so public lists do not count.
    const detail = "The address is on the tenant's allow list.";
    return [...reasons, createReason("tenant_allow_list", weights.tenantAllowList, detail)];
  }
  return [...reasons, ...findListReasons(evidence, isOff)];
}
