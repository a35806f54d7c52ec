/**
 * Replays past logins through the guard's own decision, as if the service had assessed them. What it would have learned
 * it learns here: an allowed login that is not labelled as fraud becomes history after a day, and a challenged one is
 * confirmed at once, because its user would have passed the challenge. A denied login, one that was not let in and one
 * that is labelled as fraud teach nothing.
 *
 * The memory grows with the users, of whom each has a bounded history, and not with the logins.
 */
import { webcrypto } from "node:crypto";
import { BoundedMap } from "../../../../../src/bounded-map.ts";
import { assess } from "../../../../../src/guard/decisions/assess.ts";
import { create } from "../../../../../src/guard/decisions/lifecycle.ts";
import type { IdentityState } from "../../../../../src/guard/decisions/state.ts";
import type { GuardCall } from "../../../../../src/guard/decisions/transition.ts";
import { type AgentFacts, agentFactsOf } from "../../../../../src/sentinel/agent.ts";
import { cleanAgent } from "../../../../../src/sentinel/agent-text.ts";
import type { DecidedAssessment, RiskPolicy } from "../../../../../src/sentinel/assessment.ts";
import { buildContext } from "../../../../../src/sentinel/assessments/build-context.ts";
import { hashClientFields } from "../../../../../src/sentinel/client-fields.ts";
import type { Context } from "../../../../../src/sentinel/context.ts";
import type { DataSource, NetworkEvidence } from "../../../../../src/sentinel/evidence.ts";
import { addSession, type History, maxSessionAgeMs } from "../../../../../src/sentinel/history.ts";
import { type Address, isReserved } from "../../../../../src/sentinel/network/address.ts";
import type { NetworkFacts } from "../../../../../src/sentinel/network/network-facts.ts";
import {
  type ConfirmedSession,
  countPopulation,
  narrowPopulation,
  type Population,
} from "../../../../../src/sentinel/population/population.ts";
import { hashSession } from "../../../../../src/sentinel/session-hashes.ts";
import { defaultPolicy } from "../../../../../src/tenancy/policy.ts";
import { CrowdCounter } from "./crowd.ts";
import type { PastLogin } from "./rows.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** The service counts every hour. */
const populationEveryMs = 7 * dayMs;
/** The bounds of src/sentinel/population/publish.ts. */
const populationAgeMs = 90 * dayMs;
const maxPopulationSessions = 20_000;
const maxKnownSessions = 100_000;

const tenantId = "backtest";
const actor = { type: "api_token", id: null } as const;

interface User {
  readonly state: IdentityState;
  readonly history: History;
  readonly lastAt: number;
}

/** A session, as far as it follows from address, agent and the client's fields. */
interface KnownSession {
  readonly context: Context;
  readonly network: NetworkEvidence;
  readonly agent: AgentFacts["kind"];
  readonly degraded: readonly DataSource[];
  /** What counts as one address, such as the /64 of an IPv6 address. */
  readonly subscriber: string;
}

export interface FoundNetwork {
  readonly facts: NetworkFacts | undefined;
  readonly degraded: readonly DataSource[];
}

export type FindNetwork = (address: Address) => Promise<FoundNetwork>;

function callOf(user: string, now: number): GuardCall {
  const owner = { tenantId, identityId: user };
  return { ...owner, now, requestId: "backtest", actor, jurisdiction: null, requestKey: null };
}

export class Replay {
  readonly #policy: RiskPolicy;
  readonly #findNetwork: FindNetwork;
  readonly #hashKey = webcrypto.getRandomValues(new Uint8Array(32));
  readonly #users = new Map<string, User>();
  /** One session object for all logins that look alike. */
  readonly #sessions = new BoundedMap<string, KnownSession>({ maxEntries: maxKnownSessions });
  readonly #crowds = new CrowdCounter();
  #confirmed: ConfirmedSession[] = [];
  #population: Population | null = null;
  #countedAt = Number.NEGATIVE_INFINITY;

  constructor(policy: RiskPolicy, findNetwork: FindNetwork) {
    this.#policy = policy;
    this.#findNetwork = findNetwork;
  }

  /** Assesses the login, and learns from it. Logins come in the order of time. */
  async assess(login: PastLogin): Promise<DecidedAssessment> {
    const { user, at, address, agent } = login;
    const call = callOf(user, at);
    const session = await this.#describe(login);
    const { context, network } = session;
    this.#countPopulation(at);
    const { state, history } = this.#users.get(user) ?? {
      state: create(call, user).state,
      history: [],
    };
    const surroundings = {
      context,
      network,
      degraded: session.degraded,
      populationUnread: false,
      population: this.#population === null ? null : narrowPopulation(this.#population, context),
      crowd: this.#crowds.count(network.prefix, { at, address: session.subscriber, user }),
    };
    const assessed = {
      assessmentId: String(login.line),
      agent: session.agent,
      userId: null,
      passkeys: defaultPolicy.passkeys,
      shown: { address: address.text, agent },
    };
    const transition = assess(state, call, assessed, surroundings, this.#policy, history);
    const { assessment } = transition;
    if (assessment === undefined) throw new Error("The guard refused");
    this.#learn(login, assessment, { ...transition, before: history });
    return assessment;
  }

  async #describe({ address, agent, client, user }: PastLogin): Promise<KnownSession> {
    const name = JSON.stringify([address.text, agent, client]);
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const facts = agentFactsOf(agent);
    const hashed = { address, agent: cleanAgent(agent).text, identityId: user };
    const [found, hashes, clientHashes] = await Promise.all([
      this.#findNetwork(address),
      hashSession(this.#hashKey, tenantId, hashed),
      hashClientFields(this.#hashKey, tenantId, client),
    ]);
    const network: NetworkEvidence = {
      address: hashes.wholeAddress,
      prefix: hashes.prefix,
      facts: found.facts ?? null,
      reservedRange: isReserved(address) ? address.range : null,
      tenantList: null,
    };
    const context = buildContext(network, hashes, facts, clientHashes);
    const session = {
      context,
      network,
      agent: facts.kind,
      degraded: found.degraded,
      subscriber: hashes.address,
    };
    this.#sessions.set(name, session);
    return session;
  }

  #learn(
    { user, at, outcome, label }: PastLogin,
    { id, evidence, recommendation }: DecidedAssessment,
    decided: {
      readonly state: IdentityState;
      readonly history?: History;
      readonly before: History;
    },
  ): void {
    const { state, history = [], before } = decided;
    const teaches = outcome !== "failure" && label !== "fraud";
    const isConfirmed = outcome === "verified" || recommendation === "challenge";
    if (!teaches || !isConfirmed || recommendation === "deny") {
      this.#users.set(user, { state, history: teaches ? history : before, lastAt: at });
      return;
    }
    const { context, behaviour } = evidence;
    const confirmed = { id, at, verdict: "legitimate", context } as const;
    this.#users.set(user, { state, history: addSession(history, confirmed, at), lastAt: at });
    this.#confirmed.push({ identityId: user, at, context, behaviour });
  }

  #countPopulation(at: number): void {
    if (at - this.#countedAt < populationEveryMs) return;
    this.#countedAt = at;
    this.#confirmed = this.#confirmed
      .filter((session) => session.at > at - populationAgeMs)
      .slice(-maxPopulationSessions);
    if (this.#confirmed.length > 0) this.#population = countPopulation(this.#confirmed, at);
    for (const [user, { lastAt }] of this.#users) {
      if (lastAt <= at - maxSessionAgeMs) this.#users.delete(user);
    }
  }
}
