/** `edge-idp sentinel explain`: recomputes the score of an assessment from its stored inputs. */
import { readFileSync } from "node:fs";
import { Failure } from "../../failure.ts";
import { assessmentsSchema, recompute, type StoredAssessment } from "./recompute.ts";

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

/** Prints the contributions to the score. @returns whether all equals what was stored */
function explain(stored: StoredAssessment): boolean {
  const { lines, differences } = recompute(stored);
  const verdict =
    differences.length === 0
      ? "As it was stored."
      : `NOT as it was stored: ${differences.join(", ")}.`;
  process.stdout.write(`${[...lines, `  ${verdict}`].join("\n")}\n\n`);
  return differences.length === 0;
}

/** @returns whether all assessments are as they were stored @throws Failure if the file cannot be used */
export function explainFile(file: string): boolean {
  return readAssessments(file).map(explain).every(Boolean);
}
