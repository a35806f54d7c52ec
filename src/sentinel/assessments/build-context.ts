/** What is kept of a session and compared with others (pure), from hashes and what is known of its address. */
import type { AgentFacts } from "../agent.ts";
import { isSatelliteNetwork } from "../behaviour/travel.ts";
import type { ClientFields } from "../client-fields.ts";
import type { Context } from "../context.ts";
import type { NetworkEvidence } from "../evidence.ts";
import type { SessionHashes } from "../session-hashes.ts";

type AddressFacts = Pick<NetworkEvidence, "facts" | "reservedRange">;

/** Whether many people share the address, or nobody owns it. Such an address is neither compared nor learned. */
function isShared({ facts, reservedRange }: AddressFacts): boolean {
  const kinds = facts?.kinds ?? [];
  return reservedRange !== null || kinds.includes("relay") || kinds.includes("tor");
}

/** Whether the address says nothing about the person's location. */
function hidesLocation(network: AddressFacts): boolean {
  const { kinds = [], asn } = network.facts ?? {};
  const isExit = kinds.some((kind) => kind === "vpn" || kind === "proxy" || kind === "hosting");
  return isShared(network) || isExit || isSatelliteNetwork(asn);
}

/** @param client keyed hashes of what the request said of the client */
export function buildContext(
  network: AddressFacts,
  hashes: Pick<SessionHashes, "address" | "prefix" | "pool" | "agent">,
  { browser, os, device }: AgentFacts,
  client: ClientFields,
): Context {
  const shared = isShared(network);
  return {
    country: shared ? null : (network.facts?.country ?? null),
    asn: shared ? null : (network.facts?.asn ?? null),
    prefix: shared ? null : hashes.prefix,
    address: shared ? null : hashes.address,
    device,
    os,
    browser,
    agent: hashes.agent,
    placeHidden: hidesLocation(network),
    pool: shared ? null : hashes.pool,
    ...client,
  };
}
