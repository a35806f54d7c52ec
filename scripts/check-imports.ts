/**
 * Checks that imports in src/ follow the layers in scripts/support/layers.ts, and prints the shape of
 * the source: folders, the imports between them, and the circles they form. Type imports count.
 *
 *     npm run check:imports             checks and prints
 *     npm run check:imports -- DIR      prints the shape of another source tree
 */
import { styleText } from "node:util";
import { importsIn, layerOf, layers } from "./support/layers.ts";
import { shapeOf } from "./support/shape.ts";

const [root = "src"] = process.argv.slice(2);
const imports = importsIn(root);
const { folders, floors, arrows, circular } = shapeOf(imports);
const lines = [
  `${folders} folders on ${floors} floors, ${arrows} arrows between them, ${circular.length} of them in circles`,
  ...circular.map((arrow) => `  in a circle: ${arrow}`),
];
process.stdout.write(`${lines.join("\n")}\n`);

if (root === "src") {
  const problems = imports.flatMap(({ from, to }) => {
    const [above, below] = [layerOf(from), layerOf(to)];
    if (above === undefined) return [`${from}: its folder is in no layer`];
    if (below === undefined) return [`${to}: its folder is in no layer`];
    if (above <= below) return [];
    return [`${from} imports ${to}, which is above it (${layers[below]?.join(", ")})`];
  });
  for (const problem of new Set(problems)) process.stderr.write(`${styleText("red", problem)}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
