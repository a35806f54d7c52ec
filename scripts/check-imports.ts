/**
 * `npm run check:imports`: checks that imports in src/, the SDK, the command and the console follow the rules in support/layers.ts,
 * and prints the shape of src/: its folders, the imports between them, and the circles they form. Type imports count.
 *
 *     npm run check:imports             checks and prints
 *     npm run check:imports -- DIR      prints the shape of another source tree
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findImports, type Import } from "./support/imports.ts";
import {
  findCliProblems,
  findConsoleProblems,
  findLayerProblems,
  findSdkProblems,
} from "./support/layers.ts";
import { shapeOf } from "./support/shape.ts";

const checkedRoot = "src";
const [root = checkedRoot] = process.argv.slice(2);

/** Finds the imports in the files that match. The paths start from `folder`. */
function readImports(folder: string, pattern: string): Import[] {
  return globSync(pattern, { cwd: folder }).flatMap((file) =>
    findImports(file.replaceAll("\\", "/"), readFileSync(join(folder, file), "utf8")),
  );
}

const imports = readImports(root, "**/*.ts");
const { folders, depth, arrows, circular } = shapeOf(imports);
const lines = [
  `${folders} folders, ${depth} deep, ${arrows} arrows between them, ${circular.length} of them in circles`,
  ...circular.map((arrow) => `  in a circle: ${arrow}`),
];
process.stdout.write(`${lines.join("\n")}\n`);

if (root === checkedRoot) {
  const problems = [
    ...findLayerProblems(imports),
    ...findSdkProblems(readImports(".", "packages/sdk/src/**/*.ts")),
    ...findCliProblems(readImports(".", "packages/cli/src/**/*.ts")),
    ...findConsoleProblems(readImports(".", "console/src/**/*.{ts,tsx}")),
  ];
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
