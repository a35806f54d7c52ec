/** Adds up what a backtest found (pure). The memory grows with the days and the challenged users, not with the logins. */
import type { DecidedAssessment } from "../../../../../src/sentinel/assessment.ts";
import { mapKinds } from "../../../../../src/sentinel/kinds.ts";
import type { Reason } from "../../../../../src/sentinel/reason.ts";
import type { Recommendation } from "../../../../../src/sentinel/score.ts";
import { type AttackerKind, attackerKinds } from "../../../../../src/sentinel/weights.ts";
import type { PastLogin } from "./rows.ts";

/** Logins whose value is at least a threshold, for every threshold in thousandths. */
export class Distribution {
  readonly #counts: number[] = new Array(1001).fill(0);
  all = 0;

  add(value: number): void {
    const step = Math.floor(value * 1000 + 1e-9);
    this.#counts[step] = (this.#counts[step] ?? 0) + 1;
    this.all += 1;
  }

  countFrom(threshold: number): number {
    const first = Math.round(threshold * 1000);
    return this.#counts.slice(first).reduce((sum, count) => sum + count, 0);
  }

  shareFrom(threshold: number): number {
    return this.all === 0 ? 0 : this.countFrom(threshold) / this.all;
  }
}

export interface Day {
  real: number;
  challenged: number;
  denied: number;
  fraud: number;
  /** Fraud that was challenged or denied. */
  stopped: number;
  /** Real logins that were challenged or denied, by the kind of attacker that they looked most like. */
  readonly byKind: Record<AttackerKind, number>;
}

export interface Group {
  readonly score: Distribution;
  readonly kinds: Readonly<Record<AttackerKind, Distribution>>;
  readonly recommendations: Record<Recommendation, number>;
}

/** A real login with a high score. */
export interface WorstLogin {
  readonly line: number;
  readonly at: number;
  readonly user: string;
  readonly score: number;
  readonly recommendation: Recommendation;
  readonly kind: AttackerKind;
  readonly reasons: readonly Reason[];
}

const maxWorst = 10;

function createGroup(): Group {
  return {
    score: new Distribution(),
    kinds: mapKinds(() => new Distribution()),
    recommendations: { allow: 0, challenge: 0, deny: 0 },
  };
}

/** The kind of attacker that the session looks most like. */
export function likeliestKindOf({ kinds }: DecidedAssessment): AttackerKind {
  const probabilityOf = (kind: AttackerKind) => kinds?.[kind] ?? 0;
  return attackerKinds.reduce((best, kind) =>
    probabilityOf(kind) > probabilityOf(best) ? kind : best,
  );
}

export class Figures {
  readonly real = createGroup();
  readonly fraud = createGroup();
  readonly days = new Map<string, Day>();
  readonly challengedUsers = new Set<string>();
  /** The highest scores first, one login for each user. */
  worst: readonly WorstLogin[] = [];
  /** Logins that had not been let in. They count towards attempts, and are in no other figure. */
  failures = 0;
  invalid = 0;

  get assessed(): number {
    return this.real.score.all + this.fraud.score.all + this.failures;
  }

  add(login: PastLogin, assessment: DecidedAssessment): void {
    if (login.label !== "fraud" && login.outcome === "failure") {
      this.failures += 1;
      return;
    }
    const { riskScore, recommendation, kinds } = assessment;
    const group = login.label === "fraud" ? this.fraud : this.real;
    group.score.add(riskScore);
    group.recommendations[recommendation] += 1;
    for (const kind of attackerKinds) group.kinds[kind].add(kinds?.[kind] ?? 0);
    this.#addToDay(login, assessment);
    if (login.label !== "fraud") this.#addReal(login, assessment);
  }

  #addToDay(login: PastLogin, assessment: DecidedAssessment): void {
    const name = new Date(login.at).toISOString().slice(0, 10);
    const day = this.days.get(name) ?? {
      real: 0,
      challenged: 0,
      denied: 0,
      fraud: 0,
      stopped: 0,
      byKind: mapKinds(() => 0),
    };
    this.days.set(name, day);
    const { recommendation } = assessment;
    if (login.label === "fraud") {
      day.fraud += 1;
      day.stopped += recommendation === "allow" ? 0 : 1;
      return;
    }
    day.real += 1;
    if (recommendation === "allow") return;
    day[recommendation === "deny" ? "denied" : "challenged"] += 1;
    day.byKind[likeliestKindOf(assessment)] += 1;
  }

  #addReal({ user, at, line }: PastLogin, assessment: DecidedAssessment): void {
    const { riskScore: score, recommendation, reasons } = assessment;
    if (recommendation !== "allow") this.challengedUsers.add(user);
    const lowest = this.worst.at(-1);
    if (this.worst.length === maxWorst && lowest !== undefined && score <= lowest.score) return;
    const before = this.worst.find((one) => one.user === user);
    if (before !== undefined && before.score >= score) return;
    const kind = likeliestKindOf(assessment);
    const others = this.worst.filter((one) => one.user !== user);
    this.worst = [...others, { line, at, user, score, recommendation, kind, reasons }]
      .toSorted((left, right) => right.score - left.score)
      .slice(0, maxWorst);
  }
}
