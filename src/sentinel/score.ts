/** The risk score from the reasons, and the recommendation from the score (pure). */
import type { Reason } from "./reason.ts";
import { priorProbability } from "./weights.ts";

export const recommendations = ["allow", "challenge", "deny"] as const;
export type Recommendation = (typeof recommendations)[number];

function logit(probability: number): number {
  return Math.log(probability / (1 - probability));
}

function logistic(logOdds: number): number {
  return 1 / (1 + Math.exp(-logOdds));
}

/**
 * `logistic(logit(prior) + Σ contributions)`, from 0 to 1, rounded to four decimals. The rounding is part of
 * the definition: the recommendation follows from the number that the API answers.
 */
export function scoreOf(reasons: readonly Pick<Reason, "contribution">[]): number {
  const evidence = reasons.reduce((sum, { contribution }) => sum + contribution, 0);
  return Math.round(logistic(logit(priorProbability) + evidence) * 1e4) / 1e4;
}

/** @param challengeAt and denyAt: the lowest scores that are challenged and denied, 0 to 1 */
export function recommend(
  score: number,
  { challengeAt, denyAt }: { readonly challengeAt: number; readonly denyAt: number },
): Recommendation {
  if (score >= denyAt) return "deny";
  return score >= challengeAt ? "challenge" : "allow";
}
