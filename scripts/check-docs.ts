/**
 * `npm run check:docs` checks that relative links and anchors in the documents resolve, that the files
 * they mention exist, that README.md lists every operation of docs/openapi.json with its permission, and that
 * docs/integrate.md shows its samples as they are and has every error code. The login app stays below 100 lines.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "../packages/cli/src/failure.ts";
import { errorCodes, statusOf } from "../src/errors.ts";
import {
  findBrokenReferences,
  findLengthProblems,
  findOperationProblems,
} from "./support/documents.ts";
import { findGuideProblems } from "./support/guide.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const documents = ["*.md", "docs/**/*.md", "bench/*.md", "packages/*/*.md", "examples/*/*.md"];

const openApiSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ description: z.string() }))),
});

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

async function main(): Promise<number> {
  const files = documents.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted();
  const { paths } = openApiSchema.parse(JSON.parse(read("docs/openapi.json")));
  const problems = [
    ...files.flatMap((file) => findBrokenReferences(root, file)),
    ...findOperationProblems(read("README.md"), paths),
    ...findLengthProblems(read("examples/login/README.md"), read("examples/login/app.ts")),
    ...findGuideProblems(
      read("docs/integrate.md"),
      [
        { file: "examples/guide/guide.ts", language: "ts" },
        { file: "examples/guide/guide.py", language: "python" },
      ].map((sample) => ({ ...sample, text: read(sample.file) })),
      errorCodes.map((code) => ({ code, status: statusOf(code) })),
    ),
  ];
  if (problems.length > 0) throw new Failure(problems.join("\n"));
  process.stdout.write(`${files.length} documents checked\n`);
  return 0;
}

await runScript(main);
