/** `edge-idp sentinel explain`: recomputes the score of an assessment from its stored inputs. */
import { readFileSync } from "node:fs";
import { Failure } from "../../failure.ts";
import {
  assessmentsSchema,
  type Recomputed,
  recompute,
  type StoredAssessment,
} from "./recompute.ts";

/** @param file `-` reads standard input @throws Failure if it holds no assessment */
function readAssessments(file: string): StoredAssessment[] {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Failure(`${file}: not JSON`);
  }
  const parsed = assessmentsSchema.safeParse(json);
  if (!parsed.success)
    throw new Failure(`${file}: neither an assessment nor a page of assessments`);
  if (parsed.data.length === 0) throw new Failure(`${file}: holds no assessment`);
  return parsed.data;
}

function verdictOn({ problem, differences }: Recomputed): string {
  if (differences.length > 0) return `NOT as it was stored: ${differences.join(", ")}.`;
  return problem === null
    ? "As it was stored."
    : "Not computed again: the numbers are those stored.";
}

/** Prints how the score came about. @returns the result, with what differs from what was stored */
function explain(stored: StoredAssessment, isBrief: boolean): Recomputed {
  const recomputed = recompute(stored);
  const steps = isBrief ? [] : recomputed.steps;
  const lines = [...recomputed.lines, ...steps, `  ${verdictOn(recomputed)}`];
  process.stdout.write(`${lines.join("\n")}\n\n`);
  return recomputed;
}

/**
 * @param isBrief leaves out how the contributions came about
 * @returns whether all assessments are as they were stored
 * @throws Failure if the file cannot be used, or holds an assessment that cannot be computed again
 */
export function explainFile(file: string, isBrief: boolean): boolean {
  const explained = readAssessments(file).map((stored) => explain(stored, isBrief));
  if (explained.some(({ differences }) => differences.length > 0)) return false;
  const problem = explained.find((one) => one.problem !== null)?.problem;
  if (problem != null) throw new Failure(problem);
  return true;
}
