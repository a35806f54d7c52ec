/** Generates one year of one seed and has every model score its trials (pure). */
import type { AgentFacts } from "../../src/sentinel/agent.ts";
import { type FeatureRow, Features } from "./features.ts";
import { AgentPool, type AgentTable } from "./generator/agents.ts";
import { createVisitsOfYear, type Visit } from "./generator/logins.ts";
import type { NetworkTable } from "./generator/networks.ts";
import { World } from "./generator/people.ts";
import { attackerRates, type Locality, type Reading, yearDays } from "./generator/rates.ts";
import { Strangers } from "./generator/strangers.ts";
import { Lens } from "./lens.ts";
import type { Login, Model } from "./login.ts";
import { createTrials, periodOf } from "./protocol.ts";
import { publishedReauthentication } from "./published.ts";
import { hashOf, mixBits } from "./random.ts";
import { addToColumn, type Column, type Columns, createColumn, keyOf } from "./results.ts";
import { compared, comparedValue, summarizeYear, type YearSummary } from "./summary.ts";
import { TraitWatch } from "./traits.ts";
import type { Trial } from "./trial.ts";

const dayMs = 24 * 60 * 60 * 1000;
/** Distinguishes users of different seeds. */
const usersPerSeed = 1_000_000;

export interface YearPlan {
  readonly seed: number;
  readonly users: number;
  readonly reading: Reading;
  readonly locality: Locality;
  readonly networks: NetworkTable;
  readonly agents: AgentTable;
  readonly factsOf: (agent: string) => AgentFacts;
  readonly models: readonly Model[];
  /** They score the matched logins and attacks alone, and do not learn. */
  readonly variants: readonly Model[];
  /** Whether to collect the features that a model can be trained on. */
  readonly withFeatures: boolean;
}

/** The scores of a user's first logins, for the share that is challenged. */
export interface Beginning {
  readonly user: number;
  /** By model. The very first login has no score. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
}

export interface Year {
  readonly seed: number;
  /** Equal for two runs on the same logins and attacks. */
  readonly digest: number;
  readonly summary: YearSummary;
  readonly columns: Columns;
  readonly beginnings: readonly Beginning[];
  readonly features: readonly FeatureRow[];
}

function knownBitsOf(visit: Visit, known: readonly Visit[]): number {
  return compared.reduce((bits, what, index) => {
    const value = comparedValue(visit, what);
    return known.some((other) => comparedValue(other, what) === value) ? bits | (1 << index) : bits;
  }, 0);
}

/** Users whose twelfth login is in the test period (see publishedReauthentication). */
function findBeginners(visits: readonly Visit[], from: number): Set<number> {
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
  readonly features: FeatureRow[] = [];
  digest = 0;
  readonly #plan: YearPlan;
  readonly #lens: Lens;
  readonly #traits = new TraitWatch();
  readonly #features = new Features();
  readonly #histories = new Map<number, Visit[]>();
  readonly #beginners: Set<number>;

  constructor(plan: YearPlan, visits: readonly Visit[], from: number) {
    this.#plan = plan;
    this.#lens = new Lens(plan.factsOf);
    this.#beginners = findBeginners(visits, from);
  }

  scoreTrial(trial: Trial): void {
    const { seed, withFeatures } = this.#plan;
    const { protocol, period, kind, crowd, visit } = trial;
    const isMatched = protocol === "matched";
    const models = isMatched ? [...this.#plan.models, ...this.#plan.variants] : this.#plan.models;
    const login = this.#lens.loginOf(visit, crowd ?? this.#lens.crowds.crowdOf(visit));
    const key = keyOf(protocol, period, kind);
    const { at, user, address, agent } = visit;
    this.digest = mixBits(this.digest ^ hashOf(`${key}/${user}/${at}/${address}/${agent}`));
    if (withFeatures && isMatched) {
      this.features.push({ seed, period, kind, values: this.#features.valuesOf(login) });
    }
    const column = this.columns[key] ?? createColumn(models.map(({ name }) => name));
    this.columns[key] = column;
    addToColumn(column, {
      trial,
      user: seed * usersPerSeed + user,
      scores: new Map(models.map((model) => [model.name, model.score(login)])),
      judgement: models.find(({ judge }) => judge !== undefined)?.judge?.(login),
      traits: this.#traits.traitsOf(trial),
      known: knownBitsOf(visit, this.#histories.get(visit.user) ?? []),
    });
  }

  passVisit(visit: Visit): void {
    const { models } = this.#plan;
    const login = this.#lens.loginOf(visit);
    const known = this.#histories.get(visit.user) ?? [];
    if (this.#beginners.has(visit.user)) this.#scoreBeginning(login, known.length);
    for (const model of models) model.observe(login);
    this.#lens.crowds.add(visit);
    this.#traits.add(visit);
    if (this.#plan.withFeatures) this.#features.add(login);
    known.push(visit);
    this.#histories.set(visit.user, known);
  }

  #scoreBeginning(login: Login, logins: number): void {
    if (logins === 0 || logins >= publishedReauthentication.logins) return;
    const scores = this.beginnings.get(login.user) ?? {};
    this.beginnings.set(login.user, scores);
    for (const model of this.#plan.models) {
      scores[model.name] = [...(scores[model.name] ?? []), model.score(login)];
    }
  }
}

export function runYear(plan: YearPlan): Year {
  const { seed, users, reading, locality, networks, agents } = plan;
  const from = agents.at - yearDays * dayMs;
  const strangerCount = Math.ceil(users * attackerRates.strangersPerUser);
  const pool = new AgentPool(agents, reading);
  const world = new World(networks, pool, reading, locality, from, users + strangerCount);
  const visits = createVisitsOfYear(world, seed, 0, users);
  const strangerVisits = createVisitsOfYear(world, seed, users, strangerCount);
  const strangers = new Strangers(strangerVisits, networks.hosters);
  const trials = createTrials(visits, from, strangers, pool, seed);
  const stage = new Stage(plan, visits, from);
  let next = 0;
  for (const [position, visit] of visits.entries()) {
    for (let trial = trials[next]; trial?.position === position; trial = trials[next]) {
      stage.scoreTrial(trial);
      next += 1;
    }
    stage.passVisit(visit);
  }
  for (const trial of trials.slice(next)) stage.scoreTrial(trial);
  const beginnings = [...stage.beginnings].map(([user, scores]) => ({ user, scores }));
  const { digest, columns, features } = stage;
  return { seed, digest, summary: summarizeYear(visits), columns, beginnings, features };
}
