/**
 * Assesses one session. Evidence from outside the identity (network, population, activity) is gathered during
 * the call of the guard, which receives it as a stream. So an assessment waits for one round trip and at most
 * two reads of KV.
 */
import { createId } from "../crypto/id.ts";
import type { Config } from "../env.ts";
import { AppError } from "../errors.ts";
import { askGuard, type GuardCaller } from "../guard/client.ts";
import type { Assessed } from "../guard/decisions/standing.ts";
import { streamArgument } from "../guard/streamed-argument.ts";
import { log } from "../log.ts";
import { type CountedAttempt, countAttempt } from "../sentinel/activity/client.ts";
import {
  compareWithActivity,
  countedNetworksOf,
  isInKnownNetwork,
} from "../sentinel/activity/compare-activity.ts";
import type { TenantActivity } from "../sentinel/activity/tenant-activity.ts";
import { countInTenant, readActivity } from "../sentinel/activity/tenant-client.ts";
import { type AgentFacts, agentFactsOf } from "../sentinel/agent.ts";
import { cleanAgent } from "../sentinel/agent-text.ts";
import { assessmentIdOf } from "../sentinel/assessment.ts";
import { buildContext } from "../sentinel/assessments/build-context.ts";
import type { Surroundings } from "../sentinel/assessments/surroundings.ts";
import { type ClientFields, hashClientFields } from "../sentinel/client-fields.ts";
import type { DataSource, NetworkEvidence } from "../sentinel/evidence.ts";
import {
  type Address,
  contains,
  isReserved,
  type Network,
  parseNetwork,
} from "../sentinel/network/address.ts";
import { containsAnySpelling, decodeEmbeddedNetwork } from "../sentinel/network/embedded-ipv4.ts";
import { isNetworkCached, lookupNetwork, type Prefetched } from "../sentinel/network/lookup.ts";
import { narrowPopulation } from "../sentinel/population/population.ts";
import { findCachedPopulation, readPopulation } from "../sentinel/population/read.ts";
import {
  hashSession,
  hashSessionPart,
  isWiderThanBlock,
  type SessionHashes,
} from "../sentinel/session-hashes.ts";
import { findTestResult } from "../sentinel/signals/test-address.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import { buildDeviceRequest } from "./device-schemas.ts";

export interface SessionContext {
  readonly address: Address;
  /** As the client sent it. */
  readonly agent: string;
  /** The tenant's own user id for the session, if it was sent. */
  readonly userId: string | null;
  /** As the browser kept it, if it was sent. */
  readonly deviceToken: string | undefined;
  readonly client: ClientFields;
}

interface DiscoverCall extends GuardCaller {
  readonly config: Config;
  readonly caller: GuardCaller["caller"] & Pick<TenantCaller, "mode" | "policy">;
  /** Real time, Unix ms, from which the age of the data sets is computed. */
  readonly arrivedAt: number;
  readonly waitUntil: (work: Promise<unknown>) => void;
  /** The data set, if the request began to read it during authentication. */
  readonly prepared: Prefetched | undefined;
}

/** Each cached policy is parsed once: its lists may have hundreds of entries. */
const parsedLists = new WeakMap<readonly string[], readonly Network[]>();

/** @throws AppError `unavailable` for a damaged entry: ignoring it could accept a denied address */
function parseStoredNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new AppError("unavailable");
  return decodeEmbeddedNetwork(network);
}

function parseNetworks(list: readonly string[]): readonly Network[] {
  const networks = parsedLists.get(list) ?? list.map(parseStoredNetwork);
  parsedLists.set(list, networks);
  return networks;
}

/**
 * The first entry that contains the address, in the deny list and then in the allow list. An address that is embedded
 * in another one is trusted only if the address itself is on the allow list.
 */
async function findTenantList(
  { config, caller: { tenantId, policy } }: DiscoverCall,
  address: Address,
): Promise<NetworkEvidence["tenantList"]> {
  for (const list of ["deny", "allow"] as const) {
    for (const network of parseNetworks(policy.sentinel[list])) {
      const isListed = list === "deny" ? containsAnySpelling : contains;
      if (!isListed(network, address)) continue;
      const key = config.addressHashKey;
      const entry = await hashSessionPart(key, tenantId, "list_entry", network.text);
      return { list, entry, network: isWiderThanBlock(network) ? network.text : null };
    }
  }
  return null;
}

/** Counts that other objects answer. */
interface PendingCounts {
  readonly attempt: Promise<CountedAttempt | undefined>;
  readonly activity: Promise<TenantActivity | undefined>;
}

async function gatherSurroundings(
  call: DiscoverCall,
  address: Address,
  hashes: SessionHashes,
  agentFacts: AgentFacts,
  client: ClientFields,
  { attempt, activity }: PendingCounts,
): Promise<Surroundings> {
  const { env, requestId, arrivedAt } = call;
  const { tenantId } = call.caller;
  const kv = env.IP_REPUTATION;
  // At most two reads of KV are made: if the population must be read, an older data set suffices.
  const cached = findCachedPopulation(kv, tenantId, arrivedAt);
  const readsNow =
    cached === undefined && call.prepared === undefined && isNetworkCached(kv, arrivedAt);
  const [found, read, counted, ofTenant, clientHashes] = await Promise.all([
    lookupNetwork(kv, address, arrivedAt, call.prepared, readsNow),
    readsNow ? readPopulation(kv, tenantId, arrivedAt) : cached,
    attempt,
    activity,
    hashClientFields(call.config.addressHashKey, tenantId, client),
  ]);
  const degraded: DataSource[] = [...found.degraded];
  if (found.reason !== undefined) {
    const fields = { request_id: requestId, cause: found.reason, problems: found.degraded };
    log("info", "ip_reputation_degraded", fields);
  }
  if (read?.degraded) degraded.push("population");
  if (counted === undefined || ofTenant === undefined) degraded.push("address_activity");
  const testResult = call.caller.mode === "test" ? findTestResult(address) : undefined;
  const network: NetworkEvidence = {
    address: hashes.wholeAddress,
    prefix: hashes.prefix,
    facts: found.facts ?? null,
    reservedRange: isReserved(address) ? address.range : null,
    tenantList: await findTenantList(call, address),
    ...(testResult === undefined ? {} : { testResult }),
  };
  const context = buildContext(network, hashes, agentFacts, clientHashes);
  return {
    context,
    network,
    ...(hashes.wholeAddress === hashes.address ? {} : { formerAddress: hashes.wholeAddress }),
    population: read?.population ? narrowPopulation(read.population, context) : null,
    populationUnread: read === undefined,
    crowd: counted?.crowd ?? null,
    ...(ofTenant === undefined
      ? {}
      : compareWithActivity(ofTenant, countedNetworksOf(address, found.facts?.asn), context)),
    degraded,
  };
}

/** Whether a guard answers with this error only if the identity exists. */
function showsIdentity(error: unknown): boolean {
  return error instanceof AppError && error.code === "rate_limited";
}

/** @throws AppError `user_not_found`, `unavailable` */
export async function discover(
  call: DiscoverCall,
  identityId: string,
  sessionContext: SessionContext,
): Promise<Assessed> {
  const { policy } = call.caller;
  const { challengeAt, denyAt, signalsOff, kinds } = policy.sentinel;
  const { rpId, userVerification } = policy.passkeys;
  const { address, userId, deviceToken, client } = sessionContext;
  const agent = cleanAgent(sessionContext.agent).text;
  const agentFacts = agentFactsOf(sessionContext.agent);
  const session = {
    assessmentId: assessmentIdOf(createId(call.arrivedAt), identityId),
    agent: agentFacts.kind,
    userId,
    passkeys: { rpId, userVerification },
    shown: { address: address.text, agent },
  };
  const { env, config, caller, now, requestId } = call;
  const owner = { tenantId: caller.tenantId, identityId };
  const device = buildDeviceRequest({ device_token: deviceToken }, owner, "sentinel");
  const hashed = { address, agent, identityId };
  const hashes = await hashSession(config.addressHashKey, caller.tenantId, hashed);
  const attempt = countAttempt(env, caller, hashes, now, requestId);
  const storeAttempt = () => call.waitUntil(attempt.then((counted) => counted?.store()));
  const activity = readActivity(call);
  const gathered = gatherSurroundings(call, address, hashes, agentFacts, client, {
    attempt,
    activity,
  });
  const countNetworks = async () => {
    const { network, context } = await gathered;
    const networks = countedNetworksOf(address, context.asn ?? undefined);
    const isTrusted = network.tenantList?.list === "allow";
    if (networks.length === 0 || isTrusted) return;
    await countInTenant(call, { identityId: hashes.identity, networks });
  };
  const surroundings = streamArgument(gathered);
  try {
    const assessment = await askGuard(call, identityId, (guard, guardCall) =>
      guard.assess({ ...guardCall, ...device }, session, surroundings, {
        challengeAt,
        denyAt,
        signalsOff,
        kinds,
      }),
    );
    storeAttempt();
    if (!isInKnownNetwork(assessment.reasons)) call.waitUntil(countNetworks());
    return assessment;
  } catch (error) {
    if (showsIdentity(error)) {
      storeAttempt();
      call.waitUntil(countNetworks());
    }
    throw error;
  }
}
