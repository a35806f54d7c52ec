/**
 * Sentinel itself. Each login goes through the guard's own decision (src/guard/decisions/assess.ts) with the
 * evidence that it would have in production, except that all lists of addresses are empty. Real logins are
 * confirmed at once, attacks never. The population is counted again once a week from the newest sessions of a
 * quarter.
 */
import { assess } from "../../../src/guard/decisions/assess.ts";
import { create } from "../../../src/guard/decisions/lifecycle.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import type { GuardCall } from "../../../src/guard/decisions/transition.ts";
import { isInKnownNetwork } from "../../../src/sentinel/activity/compare-activity.ts";
import type { DecidedAssessment } from "../../../src/sentinel/assessment.ts";
import type { Context } from "../../../src/sentinel/context.ts";
import { addSession, type History, type KnownSession } from "../../../src/sentinel/history.ts";
import {
  type ConfirmedSession,
  countPopulation,
  narrowPopulation,
  type Population,
} from "../../../src/sentinel/population/population.ts";
import type { SignalName } from "../../../src/sentinel/reason.ts";
import { findReasons } from "../../../src/sentinel/signals/reasons.ts";
import { defaultPolicy } from "../../../src/tenancy/policy.ts";
import { NetworkWatch } from "../crowd.ts";
import type { Judgement, Login, Model } from "../login.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** The bounds of src/sentinel/population/publish.ts, which counts every hour. */
const maxSessionAgeMs = 90 * dayMs;
const maxSessions = 20_000;
const publishedEveryMs = 7 * dayMs;

const tenantId = "bench";
const actor = { type: "api_token", id: null } as const;

/** The IPv4 address, or the /64 of an IPv6 address. */
function subscriberOf(address: string): string {
  const groups = address.split(":");
  return groups.length < 4 ? address : groups.slice(0, 4).join(":");
}

/** Keyed hashes are equal when their texts are equal, so here the texts replace them. */
function contextOf({ country, asn, pool, prefix, address, agent, facts }: Login): Context {
  const { device, os, browser } = facts;
  return {
    country,
    asn,
    pool,
    prefix,
    address: subscriberOf(address),
    device,
    os,
    browser,
    agent,
    placeHidden: false,
  };
}

interface Known {
  readonly state: IdentityState;
  readonly history: History;
}

/** The state that is learned from logins. The variants below share it. */
export class SentinelRun {
  readonly #countsPopulation: boolean;
  readonly #identities = new Map<number, Known>();
  #sessions: ConfirmedSession[] = [];
  readonly #watch = new NetworkWatch();
  #population: Population | null = null;
  #publishedAt = Number.NEGATIVE_INFINITY;
  #assessments = 0;
  #last: { readonly login: Login; readonly withPopulation: boolean } | null = null;
  #lastRecord: DecidedAssessment | null = null;

  constructor(countsPopulation = true) {
    this.#countsPopulation = countsPopulation;
  }

  observe(login: Login): void {
    const known = this.#knownOf(login);
    const { record, state } = this.#assess(login, known, this.#population);
    const context = contextOf(login);
    const session: KnownSession = {
      id: record.id,
      at: login.at,
      verdict: "legitimate",
      context,
      // One that was challenged is on probation.
      risk: { score: record.riskScore, recommendation: record.recommendation },
    };
    const history = addSession(known.history, session, login.at);
    this.#identities.set(login.user, { state, history });
    this.#count(login, record);
    this.#sessions.push({
      identityId: String(login.user),
      at: login.at,
      context,
      behaviour: record.evidence?.behaviour ?? null,
    });
    this.#publish(login.at);
    this.#last = null;
  }

  /** Counts an attempt that is not learned from. */
  countAttempt(login: Login): void {
    this.#count(login, this.#assess(login, this.#knownOf(login), this.#population).record);
  }

  #count(login: Login, { reasons }: DecidedAssessment): void {
    if (!isInKnownNetwork(reasons)) this.#watch.add(login);
  }

  recordOf(login: Login, withPopulation: boolean): DecidedAssessment {
    const isSame = this.#last?.login === login && this.#last.withPopulation === withPopulation;
    if (this.#lastRecord !== null && isSame) return this.#lastRecord;
    const population = withPopulation ? this.#population : null;
    const { record } = this.#assess(login, this.#knownOf(login), population);
    this.#last = { login, withPopulation };
    this.#lastRecord = record;
    return record;
  }

  #knownOf({ user, at }: Login): Known {
    const known = this.#identities.get(user);
    if (known !== undefined) return known;
    return { state: create(callOf(user, at), `user-${user}`).state, history: [] };
  }

  #assess(login: Login, { state, history }: Known, population: Population | null) {
    const context = contextOf(login);
    const surroundings = {
      context,
      network: { address: "", prefix: "", facts: null, reservedRange: null, tenantList: null },
      population: population === null ? null : narrowPopulation(population, context),
      populationUnread: false,
      crowd: login.crowd,
      ...this.#watch.compare(login, context),
      degraded: [],
    };
    this.#assessments += 1;
    const session = {
      assessmentId: `a${this.#assessments}`,
      agent: login.facts.kind,
      userId: null,
      passkeys: defaultPolicy.passkeys,
      shown: { address: login.address, agent: login.agent },
    };
    const call = callOf(login.user, login.at);
    const { sentinel } = defaultPolicy;
    const transition = assess(state, call, session, surroundings, sentinel, history);
    if (transition.assessment === undefined) throw new Error("The guard refused");
    return { record: transition.assessment, state: transition.state };
  }

  #publish(at: number): void {
    if (!this.#countsPopulation || at - this.#publishedAt < publishedEveryMs) return;
    this.#sessions = this.#sessions.filter((session) => session.at > at - maxSessionAgeMs);
    this.#population = countPopulation(this.#sessions.slice(-maxSessions), at);
    this.#publishedAt = at;
  }
}

function judgementOf(record: DecidedAssessment): Judgement {
  const { riskScore, recommendation, kinds = {} } = record;
  return { risk: riskScore, recommendation, kinds };
}

function callOf(user: number, now: number): GuardCall {
  return {
    tenantId,
    identityId: `id-${user}`,
    now,
    requestId: "bench",
    actor,
    jurisdiction: null,
    requestKey: null,
  };
}

interface Variant {
  readonly name: string;
  readonly off: readonly SignalName[];
  readonly population: boolean;
}

/** Sentinel itself comes first. Each other variant lacks a part. */
const variants: readonly Variant[] = [
  { name: "Sentinel", off: [], population: true },
  { name: "network only", off: ["agent_history", "hour_of_week"], population: true },
  { name: "agent only", off: ["network_history", "hour_of_week"], population: true },
  { name: "without the hour", off: ["hour_of_week"], population: true },
  { name: "without stuffing", off: ["credential_stuffing"], population: true },
  { name: "without a population", off: [], population: false },
];
export const [{ name: sentinelName } = { name: "" }, ...otherVariants] = variants;
export const variantNames = otherVariants.map(({ name }) => name);

/** Sentinel first. All variants share one state, so only the first one observes logins. */
export function createSentinelModels(): Model[] {
  const run = new SentinelRun();
  return variants.map(({ name, off, population }, index) => ({
    name,
    observe(login) {
      if (index === 0) run.observe(login);
    },
    score(login) {
      const { evidence, reasons } = run.recordOf(login, population);
      const found = off.length === 0 ? reasons : findReasons(evidence, off);
      return found.reduce((sum, { contribution }) => sum + contribution, 0);
    },
    ...(index === 0
      ? { judge: (login: Login) => judgementOf(run.recordOf(login, population)) }
      : {}),
  }));
}
