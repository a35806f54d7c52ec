/**
 * `npm run check:imports`: checks that imports in src/ follow the layers in support/layers.ts, and prints the
 * shape of the source: its folders, the imports between them, and the circles they form. Type imports count.
 *
 *     npm run check:imports             checks and prints
 *     npm run check:imports -- DIR      prints the shape of another source tree
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findImports } from "./support/imports.ts";
import { findLayerProblems } from "./support/layers.ts";
import { shapeOf } from "./support/shape.ts";

const checkedRoot = "src";
const [root = checkedRoot] = process.argv.slice(2);

const imports = globSync("**/*.ts", { cwd: root }).flatMap((file) =>
  findImports(file.replaceAll("\\", "/"), readFileSync(join(root, file), "utf8")),
);
const { folders, depth, arrows, circular } = shapeOf(imports);
const lines = [
  `${folders} folders, ${depth} deep, ${arrows} arrows between them, ${circular.length} of them in circles`,
  ...circular.map((arrow) => `  in a circle: ${arrow}`),
];
process.stdout.write(`${lines.join("\n")}\n`);

if (root === checkedRoot) {
  const problems = findLayerProblems(imports);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
