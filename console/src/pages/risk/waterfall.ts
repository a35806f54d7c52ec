/** The way from the prior to the score of an assessment, in steps. */

/** 5 % of sessions are fraud, before any evidence. */
export const prior = 0.05;

function logitOf(probability: number): number {
  return Math.log(probability / (1 - probability));
}

/** The probability of log-odds. */
export function probabilityOf(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

export interface Step {
  readonly signal: string;
  readonly detail: string;
  readonly contribution: number;
  /** The risk before and after the step, from 0 to 1. */
  readonly from: number;
  readonly to: number;
}

interface ReasonLike {
  readonly signal: string;
  readonly detail: string;
  readonly contribution: number;
}

/** The reasons in their order, each with the risk that it leads to. */
export function createWaterfall(reasons: readonly ReasonLike[]): Step[] {
  let logOdds = logitOf(prior);
  return reasons.map(({ signal, detail, contribution }) => {
    const from = probabilityOf(logOdds);
    logOdds += contribution;
    return { signal, detail, contribution, from, to: probabilityOf(logOdds) };
  });
}

/** Counts scores in as many bins of equal width. */
export function countScores(scores: readonly number[], bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const score of scores) {
    const bin = Math.min(bins - 1, Math.floor(score * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}
