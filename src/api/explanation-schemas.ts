/** The explanation of an assessment, as the API shows it. */
import { z } from "zod";
import { bases } from "../sentinel/explanation/basis.ts";
import type { Explanation } from "../sentinel/explanation/explain.ts";
import { stepSources } from "../sentinel/explanation/sheet.ts";
import { reasonNames } from "../sentinel/reason.ts";
import { attackerKinds } from "../sentinel/weights.ts";

const contributionSchema = z.object({
  signal: z.enum(reasonNames).meta({ examples: ["network_history"] }),
  contribution: z.number().meta({ description: "Log-odds.", examples: [2.676] }),
  basis: z.enum(bases).meta({
    description:
      "What the contribution is. `ratio`: it follows from how probable the session is for an attacker and for the user. `weight`: a weight of the model, and no ratio. `rule`: no evidence, but a rule about the result.",
  }),
});

const stepSchema = z
  .object({
    section: z.string().meta({
      description:
        "What the step is about: a signal, a level of the history, or a part of the score.",
      examples: ["country"],
    }),
    name: z.string().meta({
      description: "The name of the step. Formulas of later steps use it.",
      examples: ["country.user_is_new"],
    }),
    source: z.enum(stepSources).meta({
      description:
        "Where the number comes from: `inputs` of the assessment, the weights of the `model`, or its `formula`.",
    }),
    formula: z
      .string()
      .nullable()
      .meta({
        description:
          "How the number follows from the steps before it, with `+ - * / ^`, `ln`, `exp`, `min` and `max`; `sum` adds the numbers of all kinds of attacker. Null: the number is given.",
        examples: [
          "min(0.97, max(0.0015, 1 - (1 - country.usually_new) ^ (country.restlessness)))",
        ],
      }),
    value: z
      .number()
      .nullable()
      .meta({
        description:
          "The number, to seven significant digits; contributions and scores to four decimals. Null if there is one for each kind of attacker.",
        examples: [0.02116],
      }),
    by_kind: z
      .record(z.enum(attackerKinds), z.number())
      .nullable()
      .meta({
        description: "The number for each kind of attacker; null if there is only one.",
        examples: [null],
      }),
    meaning: z.string().meta({
      description: "What the number is, in words.",
      examples: ["the probability that this user is new here"],
    }),
  })
  .meta({ id: "ExplanationStep", description: "A step from the inputs to the score." });

export const explanationSchema = z
  .object({
    contributions: z.array(contributionSchema).meta({
      description: "What the contribution of each reason is, in the order of `reasons`.",
    }),
    steps: z.array(stepSchema).meta({
      description:
        "All steps to the contributions and the score. A step with a formula follows from the shown digits of the steps before it.",
    }),
  })
  .meta({ id: "Explanation", description: "How a score came about, in numbers." });

export function showExplanation({
  contributions,
  steps,
}: Explanation): z.input<typeof explanationSchema> {
  return {
    contributions: [...contributions],
    steps: steps.map(({ byKind, ...step }) => ({ ...step, by_kind: byKind })),
  };
}
