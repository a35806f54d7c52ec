/** The results of a year: the scores of every model for every trial, in columns. */
import type { Recommendation } from "../../src/sentinel/score.ts";
import type { Judgement } from "./login.ts";
import { type AuditName, auditNames, type Traits } from "./traits.ts";
import type { Kind, Period, Protocol, Trial } from "./trial.ts";

export interface Column {
  /** Unique across seeds. */
  readonly users: number[];
  readonly logins: number[];
  readonly scores: Readonly<Record<string, number[]>>;
  /** What Sentinel answers: its score from 0 to 1, what it recommends, and the kinds of attacker. */
  readonly risks: number[];
  readonly recommendations: Recommendation[];
  readonly kinds: Record<string, number[]>;
  readonly traits: Readonly<Record<AuditName, (readonly string[])[]>>;
  /** Whether the user's history has the country, network, agent and device: bits in this order. */
  readonly known: number[];
}

/** The columns by key (see `keyOf`). */
export type Columns = Readonly<Record<string, Column>>;

export function keyOf(protocol: Protocol, period: Period, kind: Kind): string {
  return `${protocol}/${period}/${kind}`;
}

export function createColumn(models: readonly string[]): Column {
  return {
    users: [],
    logins: [],
    scores: Object.fromEntries(models.map((model) => [model, []])),
    risks: [],
    recommendations: [],
    kinds: {},
    traits: { "history size": [], rhythm: [], network: [], agent: [] },
    known: [],
  };
}

export interface Scored {
  readonly trial: Trial;
  readonly user: number;
  readonly scores: ReadonlyMap<string, number>;
  readonly judgement: Judgement | undefined;
  readonly traits: Traits;
  readonly known: number;
}

export function addToColumn(column: Column, scored: Scored): void {
  const { trial, user, scores, judgement, traits, known } = scored;
  column.users.push(user);
  column.known.push(known);
  column.logins.push(trial.logins);
  for (const [model, score] of scores) column.scores[model]?.push(score);
  for (const name of auditNames) column.traits[name].push(traits[name]);
  if (judgement === undefined) return;
  column.risks.push(judgement.risk);
  column.recommendations.push(judgement.recommendation);
  for (const [kind, probability] of Object.entries(judgement.kinds)) {
    const probabilities = column.kinds[kind] ?? [];
    column.kinds[kind] = probabilities;
    probabilities.push(probability);
  }
}

/** Concatenates the columns of several seeds. */
export function poolColumns(parts: readonly Columns[]): Columns {
  const keys = new Set(parts.flatMap((part) => Object.keys(part)));
  return Object.fromEntries(
    [...keys].map((key) => {
      const columns = parts.flatMap((part) => part[key] ?? []);
      return [key, joinColumns(columns)];
    }),
  );
}

function joinColumns(columns: readonly Column[]): Column {
  const all = createColumn(Object.keys(columns[0]?.scores ?? {}));
  for (const column of columns) {
    appendAll(all.users, column.users);
    appendAll(all.logins, column.logins);
    appendAll(all.known, column.known);
    for (const [model, scores] of Object.entries(column.scores)) {
      appendAll(all.scores[model] ?? [], scores);
    }
    for (const name of auditNames) appendAll(all.traits[name], column.traits[name]);
    appendAll(all.risks, column.risks);
    appendAll(all.recommendations, column.recommendations);
    for (const [kind, probabilities] of Object.entries(column.kinds)) {
      const pooled = all.kinds[kind] ?? [];
      all.kinds[kind] = pooled;
      appendAll(pooled, probabilities);
    }
  }
  return all;
}

/** Appends one by one: there may be more items than `push` accepts as arguments. */
function appendAll<T>(list: T[], more: readonly T[]): void {
  for (const item of more) list.push(item);
}
