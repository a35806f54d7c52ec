/** The commands of docs/integrate.md: they set up a tenant, and run the sample in each language. */
import { readItems, type Step } from "./document.ts";
import type { Report } from "./report.ts";
import { hasTools } from "./tools.ts";

const pythonSection = "Run the sample in Python";

/** @param run runs the commands of a step, all in the same shell, and compares the answer with the one shown */
export async function checkGuide(
  guide: string,
  report: Report,
  run: (step: Step) => Promise<void>,
): Promise<void> {
  for (const step of readItems(guide)) {
    if (step.kind !== "step") continue;
    const isPython = step.title.startsWith(pythonSection);
    if (!isPython || hasTools(report, step.title, ["python3"])) await run(step);
  }
}
