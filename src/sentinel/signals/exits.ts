/**
 * The signals about exits (pure): VPNs and hosting networks, through which anybody can seem to be anywhere. Their
 * source is the public lists, and the user's own history: an exit says little about somebody who always uses one, and
 * more about somebody who never did. Lists of VPNs hold the addresses of hosting networks, so the two are one
 * finding. They cannot see an exit that no list names, such as a residential proxy.
 */
import type { SessionEvidence } from "../evidence.ts";
import type { NetworkKind } from "../network/network-facts.ts";
import { createReason, type Reason } from "../reason.ts";
import { weights } from "../weights.ts";

/** @param alone the evidence without a history */
function weighExit({ behaviour }: SessionEvidence, alone: number): number {
  const { assumed, trust, max } = weights.exits;
  const { count, all } = behaviour?.exits ?? { count: 0, all: 0 };
  const usual = (trust * assumed + count) / (trust + all);
  return Math.min(max, Math.max(0, alone + Math.log(assumed / usual)));
}

function describeUse({ behaviour }: SessionEvidence): string {
  const { count = 0, all = 0 } = behaviour?.exits ?? {};
  if (all === 0) return "";
  return `, and ${count} of this user's ${all} sessions came through such an exit`;
}

export function findExitReasons(evidence: SessionEvidence): Reason[] {
  const is = (kind: NetworkKind) => evidence.network.facts?.kinds.includes(kind) === true;
  const use = describeUse(evidence);
  if (is("vpn")) {
    const detail = `The address belongs to a VPN${use}.`;
    return [createReason("vpn", weighExit(evidence, weights.vpn), detail)];
  }
  const isHosting = is("hosting") || is("cloud") || is("crawler");
  if (!isHosting || evidence.agent !== "browser") return [];
  const detail = `The user agent is a browser's, but the address is in a hosting network${use}.`;
  return [createReason("hosting_network", weighExit(evidence, weights.hostingWithBrowser), detail)];
}
