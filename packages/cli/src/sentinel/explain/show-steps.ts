/** The steps of an explanation as text, a line each. */
import type { Explanation } from "../../../../../src/sentinel/explanation/explain.ts";
import type { Step } from "../../../../../src/sentinel/explanation/sheet.ts";
import { attackerKinds } from "../../../../../src/sentinel/weights.ts";

const sourceNames = { inputs: "from the inputs", model: "weight of the model" } as const;

function showNumber({ value, byKind }: Step): string {
  if (value !== null) return String(value);
  return attackerKinds.map((kind) => `${kind} ${byKind?.[kind] ?? ""}`).join(", ");
}

function showOrigin({ formula, source }: Step): string {
  if (formula !== null) return formula;
  return source === "formula" ? "" : sourceNames[source];
}

/** Steps of one section that follow each other have one heading. */
export function showSteps({ steps }: Explanation): readonly string[] {
  return steps.flatMap((step, index) => {
    const lines = [
      `    ${step.name} = ${showNumber(step)}`,
      `        = ${showOrigin(step)}`,
      `        ${step.meaning}`,
    ];
    return steps[index - 1]?.section === step.section ? lines : [`  ${step.section}`, ...lines];
  });
}
