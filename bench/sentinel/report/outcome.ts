/** Computes the figures of every model against every kind of attacker (pure). */
import { type AttackerKind, attackerKinds } from "../generator/attackers.ts";
import {
  aucOf,
  computeChallenged,
  computeRecall,
  middle95Of,
  type Resamples,
  resampleUsers,
  type Side,
} from "../metrics.ts";
import { modelNames } from "../models/all.ts";
import { type Column, type Columns, keyOf } from "../results.ts";
import type { Protocol } from "../trial.ts";

/** Shares of real logins challenged, for comparison at equal false positives. */
export const equalShares = [0.001, 0.01, 0.05, 0.1, 0.2] as const;
export const caughtShares = [0.9, 0.99] as const;
const sparedInDrawings = 0.01;

type Interval = readonly [min: number, max: number];

export interface Outcome {
  readonly model: string;
  readonly auc: number;
  readonly aucInterval: Interval | null;
  readonly recallInterval: Interval | null;
  /** Shares of attacks caught, in the order of `equalShares`. */
  readonly recall: readonly number[];
  /** Shares of real logins challenged, in the order of `caughtShares`. */
  readonly challenged: readonly number[];
}

/** The lead of Sentinel over another model. */
export interface Lead {
  readonly over: string;
  readonly auc: number;
  readonly aucInterval: Interval;
}

export interface Comparison {
  readonly kind: AttackerKind;
  readonly real: number;
  readonly attacks: number;
  readonly outcomes: readonly Outcome[];
  readonly leads: readonly Lead[];
}

function sideOf(column: Column | undefined, model: string): Side {
  return { scores: column?.scores[model] ?? [], users: column?.users ?? [] };
}

export function computeOutcome(
  real: Side,
  attacks: Side,
  model: string,
  drawn?: Resamples,
): Outcome {
  return {
    model,
    auc: aucOf(real.scores, attacks.scores),
    aucInterval: drawn === undefined ? null : middle95Of(drawn.auc),
    recallInterval: drawn === undefined ? null : middle95Of(drawn.recall),
    recall: equalShares.map((share) => computeRecall(real.scores, attacks.scores, share)),
    challenged: caughtShares.map((share) => computeChallenged(real.scores, attacks.scores, share)),
  };
}

function computeLeads(outcomes: readonly Outcome[], drawn: readonly Resamples[]): Lead[] {
  const last = outcomes.length - 1;
  const [own, ownDrawn] = [outcomes[last], drawn[last]];
  return outcomes.slice(0, last).map((other, index) => {
    const differences = (drawn[index]?.auc ?? []).map(
      (auc, round) => (ownDrawn?.auc[round] ?? Number.NaN) - auc,
    );
    return {
      over: other.model,
      auc: (own?.auc ?? Number.NaN) - other.auc,
      aucInterval: middle95Of(differences),
    };
  });
}

/** @param rounds resamples of the users for the intervals; 0: no intervals */
export function compareModels(
  columns: Columns,
  protocol: Protocol,
  rounds: number,
  models: readonly string[] = modelNames,
): Comparison[] {
  const real = columns[keyOf(protocol, "test", "real")];
  return attackerKinds.flatMap((kind) => {
    const attacks = columns[keyOf(protocol, "test", kind)];
    if (real === undefined || attacks === undefined) return [];
    const sides = models.map((model) => [sideOf(real, model), sideOf(attacks, model)] as const);
    const drawn =
      rounds === 0
        ? []
        : resampleUsers(
            sides.map(([left]) => left),
            sides.map(([, right]) => right),
            sparedInDrawings,
            rounds,
          );
    const outcomes = models.map((model, index) =>
      computeOutcome(sideOf(real, model), sideOf(attacks, model), model, drawn[index]),
    );
    const leads = rounds === 0 ? [] : computeLeads(outcomes, drawn);
    return [{ kind, real: real.users.length, attacks: attacks.users.length, outcomes, leads }];
  });
}

/** The rows of a column with this number of earlier logins. */
export function selectByHistory(
  column: Column | undefined,
  min: number,
  max: number,
): Column | undefined {
  if (column === undefined) return undefined;
  const indexes = column.logins.flatMap((logins, index) =>
    logins >= min && logins <= max ? [index] : [],
  );
  const at = <T>(values: readonly T[]) => indexes.flatMap((index) => values[index] ?? []);
  return {
    ...column,
    users: at(column.users),
    logins: at(column.logins),
    scores: Object.fromEntries(
      Object.entries(column.scores).map(([model, scores]) => [model, at(scores)]),
    ),
  };
}
