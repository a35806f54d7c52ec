/**
 * `npm run sentinel:explain -- FILE`: recomputes the score of an assessment from its stored inputs, and prints each
 * contribution. Needs no service and no network.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Failure } from "../packages/cli/src/failure.ts";
import { runScript } from "./support/run-script.ts";
import {
  assessmentsSchema,
  recompute,
  type StoredAssessment,
} from "./support/sentinel-recompute.ts";

const helpText = `Recompute the score of an assessment from its stored inputs.

  npm run sentinel:explain -- FILE

FILE holds an answer of GET /v1/sentinel/assessments, or one assessment of it; "-" reads standard input.
Exits with 0 if every score, reason and recommendation equals the stored one, with 1 if one differs, and
with 2 if the file cannot be read or holds another model.
`;

const exitCodes = { asStored: 0, different: 1, unusable: 2 };

function read(file: string): StoredAssessment[] {
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

function main(): number {
  const { values, positionals } = parseArgs({
    options: { help: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(helpText);
    return exitCodes.asStored;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new Failure("Name one FILE; see --help.");
  const stored = read(file);
  if (stored.length === 0) throw new Failure(`${file}: holds no assessment`);
  return stored.map(explain).every(Boolean) ? exitCodes.asStored : exitCodes.different;
}

await runScript(async () => {
  try {
    return main();
  } catch (error) {
    // An error of parseArgs has a code.
    const expected = error instanceof Failure || (error instanceof Error && "code" in error);
    if (!expected) throw error;
    process.stderr.write(`${error.message}\n`);
    return exitCodes.unusable;
  }
});
