/** One year of one seed (pure): generated, and put before every model. */
import type { AgentFacts } from "../../src/sentinel/agent.ts";
import { CrowdWatch } from "./crowd.ts";
import { AgentPool, type AgentTable } from "./generator/agents.ts";
import type { Visit } from "./generator/logins.ts";
import { visitsOfYear } from "./generator/logins.ts";
import { type NetworkTable, prefixOf, textOf } from "./generator/networks.ts";
import { World } from "./generator/people.ts";
import { attackerRates, type Reading, yearDays } from "./generator/rates.ts";
import { Strangers } from "./generator/strangers.ts";
import type { Login, Model } from "./login.ts";
import { periodOf, type Trial, trialsOf } from "./protocol.ts";
import { publishedReauthentication } from "./published.ts";
import { Random } from "./random.ts";
import { addTo, type Column, type Columns, keyOf, newColumn } from "./results.ts";
import { compared, comparedValue, summaryOf, type YearSummary } from "./summary.ts";
import { TraitWatch } from "./traits.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Users of different seeds are told apart by this. */
const usersPerSeed = 1_000_000;

export interface YearPlan {
  readonly seed: number;
  readonly users: number;
  readonly reading: Reading;
  readonly networks: NetworkTable;
  readonly agents: AgentTable;
  readonly factsOf: (agent: string) => AgentFacts;
  readonly models: readonly Model[];
}

/** A user's first logins but the very first, for the share that is challenged. */
export interface Beginning {
  readonly user: number;
  /** By model; one score less than logins. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
}

export interface Year {
  readonly seed: number;
  readonly summary: YearSummary;
  readonly columns: Columns;
  readonly beginnings: readonly Beginning[];
}

/** Visits as models see them; agents and addresses repeat, so what they say is kept. */
class Lens {
  readonly #factsOf: YearPlan["factsOf"];
  readonly #facts = new Map<string, AgentFacts>();
  readonly crowds = new CrowdWatch();

  constructor(factsOf: YearPlan["factsOf"]) {
    this.#factsOf = factsOf;
  }

  loginOf(visit: Visit, crowd = this.crowds.at(visit)): Login {
    const { at, user, provider, address, agent } = visit;
    const facts = this.#facts.get(agent) ?? this.#factsOf(agent);
    this.#facts.set(agent, facts);
    return {
      at,
      user,
      country: provider.country,
      asn: provider.asn,
      prefix: `${textOf(prefixOf(address))}/24`,
      address: textOf(address),
      agent,
      facts,
      crowd,
    };
  }
}

function knownBits(visit: Visit, known: readonly Visit[]): number {
  return compared.reduce((bits, what, place) => {
    const value = comparedValue(visit, what);
    return known.some((other) => comparedValue(other, what) === value) ? bits | (1 << place) : bits;
  }, 0);
}

/** Users whose so-manieth login falls into the test period. */
function beginners(visits: readonly Visit[], from: number): Set<number> {
  const byUser = Map.groupBy(visits, ({ user }) => user);
  return new Set(
    [...byUser].flatMap(([user, own]) => {
      const last = own[publishedReauthentication.logins - 1];
      return last !== undefined && periodOf(last.at, from) === "test" ? [user] : [];
    }),
  );
}

class Stage {
  readonly columns: Record<string, Column> = {};
  readonly beginnings = new Map<number, Record<string, number[]>>();
  readonly #plan: YearPlan;
  readonly #lens: Lens;
  readonly #traits = new TraitWatch();
  readonly #histories = new Map<number, Visit[]>();
  readonly #beginners: Set<number>;

  constructor(plan: YearPlan, visits: readonly Visit[], from: number) {
    this.#plan = plan;
    this.#lens = new Lens(plan.factsOf);
    this.#beginners = beginners(visits, from);
  }

  trial(trial: Trial): void {
    const { seed, models } = this.#plan;
    const { protocol, period, attack, visit } = trial;
    const login = this.#lens.loginOf(visit, attack?.crowd ?? this.#lens.crowds.at(visit));
    const key = keyOf(protocol, period, attack?.kind ?? "real");
    const column = this.columns[key] ?? newColumn(models.map(({ name }) => name));
    this.columns[key] = column;
    addTo(column, {
      trial,
      user: seed * usersPerSeed + visit.user,
      scores: new Map(models.map((model) => [model.name, model.score(login)])),
      traits: this.#traits.of(trial),
      known: knownBits(visit, this.#histories.get(visit.user) ?? []),
    });
  }

  pass(visit: Visit): void {
    const { models } = this.#plan;
    const login = this.#lens.loginOf(visit);
    const known = this.#histories.get(visit.user) ?? [];
    if (this.#beginners.has(visit.user)) this.#begin(login, known.length);
    for (const model of models) model.observe(login);
    this.#lens.crowds.add(visit);
    this.#traits.add(visit);
    known.push(visit);
    this.#histories.set(visit.user, known);
  }

  #begin(login: Login, logins: number): void {
    if (logins === 0 || logins >= publishedReauthentication.logins) return;
    const scores = this.beginnings.get(login.user) ?? {};
    this.beginnings.set(login.user, scores);
    for (const model of this.#plan.models) {
      scores[model.name] = [...(scores[model.name] ?? []), model.score(login)];
    }
  }
}

export function runYear(plan: YearPlan): Year {
  const { seed, users, reading, networks, agents } = plan;
  const from = agents.at - yearDays * dayMs;
  const strangerCount = Math.ceil(users * attackerRates.strangersPerUser);
  const pool = new AgentPool(agents, reading);
  const world = new World(networks, pool, reading, from, users + strangerCount);
  const visits = visitsOfYear(world, seed, 0, users);
  const strangers = new Strangers(visitsOfYear(world, seed, users, strangerCount));
  const trials = trialsOf(visits, from, strangers, new Random(`attackers/${seed}`));
  const stage = new Stage(plan, visits, from);
  let next = 0;
  for (const [place, visit] of visits.entries()) {
    for (let trial = trials[next]; trial?.place === place; trial = trials[next]) {
      stage.trial(trial);
      next += 1;
    }
    stage.pass(visit);
  }
  for (const trial of trials.slice(next)) stage.trial(trial);
  const beginnings = [...stage.beginnings].map(([user, scores]) => ({ user, scores }));
  return { seed, summary: summaryOf(visits), columns: stage.columns, beginnings };
}
