/**
 * `npm run check:docs` checks that relative links and anchors in the documents resolve, that the files
 * they mention exist, and that README.md lists every operation of docs/openapi.json with its permission.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { findBrokenReferences, findOperationProblems } from "./support/documents.ts";
import { Failure, runScript } from "./support/failure.ts";

const root = join(import.meta.dirname, "..");
const documents = ["*.md", "docs/**/*.md", "bench/*.md", "packages/*/*.md"];

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
  ];
  if (problems.length > 0) throw new Failure(problems.join("\n"));
  process.stdout.write(`${files.length} documents checked\n`);
  return 0;
}

await runScript(main);
