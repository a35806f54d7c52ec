/**
 * Analyses the integrity of one session. The network facts are looked up in KV while the guard is
 * already asked: they follow the call as a stream, so an assessment waits for one round trip.
 */
import { joined, toHex } from "../crypto/bytes.ts";
import { hmacSha256 } from "../crypto/digest.ts";
import { newId } from "../crypto/id.ts";
import type { Config } from "../env.ts";
import { askGuard, type GuardCaller } from "../guard/client.ts";
import { log } from "../log.ts";
import type { TenantPolicy } from "../policy.ts";
import { agentKindOf } from "./agent.ts";
import type { AssessmentRecord } from "./assessment.ts";
import { type Address, contains, isReserved, parseNetwork } from "./network/address.ts";
import { lookupNetwork } from "./network/lookup.ts";
import type { NetworkEvidence } from "./signals.ts";

export interface SessionContext {
  readonly address: Address;
  readonly agent: string;
  /** The tenant's own user id for the session, when it was sent. */
  readonly userId: string | null;
}

interface DiscoverCall extends GuardCaller {
  readonly config: Config;
  readonly caller: { readonly tenantId: string; readonly policy: TenantPolicy };
  /** Real time, for the age of the imported data. */
  readonly arrivedAt: number;
}

function tenantListOf(address: Address, policy: TenantPolicy["sentinel"]) {
  const isIn = (networks: readonly string[]) =>
    networks.some((text) => {
      const network = parseNetwork(text);
      return network !== undefined && contains(network, address);
    });
  if (isIn(policy.deny)) return "deny";
  return isIn(policy.allow) ? "allow" : null;
}

async function networkEvidence(call: DiscoverCall, address: Address): Promise<NetworkEvidence> {
  const found = await lookupNetwork(call.env.IP_REPUTATION, address, call.arrivedAt);
  if (found.degraded) {
    log("info", "ip_reputation_degraded", {
      request_id: call.requestId,
      ...(found.reason === undefined ? {} : { cause: found.reason }),
    });
  }
  return {
    facts: found.facts ?? null,
    reservedRange: isReserved(address) ? address.range : null,
    tenantList: tenantListOf(address, call.caller.policy.sentinel),
    degraded: found.degraded,
  };
}

/** JSON that is still being gathered, as a stream. */
function streamOf(value: Promise<NetworkEvidence>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(JSON.stringify(await value)));
      controller.close();
    },
  });
}

/** @throws AppError `user_not_found`, `user_suspended`, `unavailable` */
export async function discover(
  call: DiscoverCall,
  identityId: string,
  { address, agent, userId }: SessionContext,
): Promise<AssessmentRecord> {
  const { tenantId, policy } = call.caller;
  const { challengeAt, denyAt, signalsOff } = policy.sentinel;
  const context = joined(tenantId, identityId, address.text, agent, userId ?? "");
  const session = {
    assessmentId: newId(call.now),
    agent: agentKindOf(agent),
    userId,
    contextDigest: toHex(hmacSha256(call.config.addressHashKey, context)),
    shown: { address: address.text, agent },
  };
  const network = streamOf(networkEvidence(call, address));
  return await askGuard(call, identityId, (guard, guardCall) =>
    guard.assess(guardCall, session, network, { challengeAt, denyAt, signalsOff }),
  );
}
