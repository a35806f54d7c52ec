/** The fields of an assessment, as several routes show them, and the bounds of their pages. */
import { z } from "zod";
import { firstIdOf } from "../crypto/id.ts";
import { assessmentId } from "../http/schemas.ts";
import type { Assessment } from "../sentinel/assessment.ts";
import { dataSources } from "../sentinel/evidence.ts";
import { kindNames } from "../sentinel/kinds.ts";
import { reasonNames } from "../sentinel/reason.ts";

const exampleKinds = {
  stuffing: 0.015,
  proxy: 0.01,
  targeted: 0.013,
  neighbour: 0.003,
  housemate: 0.001,
  phisher: 0.008,
  real: 0.95,
};

export const assessmentFields = {
  risk_score: z
    .number()
    .min(0)
    .max(1)
    .meta({ examples: [0.05] }),
  assessment_id: assessmentId,
  model: z.string().meta({
    description: "The name of the model, which fixes the signals and their weights.",
    examples: ["sentinel-3"],
  }),
  reasons: z
    .array(
      z
        .object({
          signal: z.enum(reasonNames).meta({ examples: ["network_history"] }),
          contribution: z.number().meta({
            description: "Log-odds that the signal adds to the prior of 0.05.",
            examples: [0.9],
          }),
          detail: z.string().meta({
            description: "The finding in words.",
            examples: ["The network is new for this user."],
          }),
        })
        .meta({ id: "Reason", description: "A reason for a risk score." }),
    )
    .meta({ description: "The reasons for the score, the strongest first." }),
  kinds: z
    .record(z.enum(kindNames), z.number().min(0).max(1))
    .nullable()
    .meta({
      description:
        "The probability of each kind of attacker, and of the real user (`real`). The sum is 1, and `real` is what `risk_score` leaves. Null in assessments of builds that did not compute it.",
      examples: [exampleKinds],
    }),
  degraded: z.array(z.enum(dataSources)).meta({
    description:
      "The kinds of data that were missing or stale and gave no evidence: `geography`, each kind of network list, `population` and `address_activity`. `ip_reputation` stands for all network data in assessments of earlier versions.",
    examples: [["geography", "proxy"]],
  }),
};

export function showAssessment({ id, model, riskScore, reasons, kinds, degraded }: Assessment) {
  return {
    risk_score: riskScore,
    assessment_id: id,
    model,
    reasons: [...reasons],
    kinds: kinds ?? null,
    degraded: [...degraded],
  };
}

/**
 * The part of the list that a page is from. Ids begin with the time of arrival, which is the time of the
 * assessment unless there is a test clock.
 * @param page times are Unix ms
 */
export function boundsOf(
  mode: "live" | "test",
  {
    after,
    from,
    to,
  }: {
    readonly after: string | undefined;
    readonly from: number | undefined;
    readonly to: number | undefined;
  },
) {
  const belowIds = after === undefined ? [] : [after];
  if (mode === "test") return { belowIds, fromAt: from, belowAt: to };
  return {
    fromId: from === undefined ? undefined : firstIdOf(from),
    belowIds: to === undefined ? belowIds : [...belowIds, firstIdOf(to)],
  };
}
