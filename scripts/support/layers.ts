/** The layers of src/, from the top down: a file imports from its own layer or from one below it. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Folders, or files directly in src/. Folders of one layer import nothing from each other. */
export const layers: readonly (readonly string[])[] = [
  ["index.ts"],
  ["app.ts", "scheduled.ts"],
  ["housekeeping.ts"],
  ["api"],
  ["http"],
  ["guard"],
  ["guard/delivery", "guard/refusal-log"],
  ["guard/decisions"],
  ["relocation"],
  ["keys"],
  ["tenancy"],
  ["sentinel/assessments", "sentinel/activity", "sentinel/feeds"],
  ["sentinel/signals"],
  ["sentinel/behaviour"],
  ["sentinel/population"],
  ["sentinel"],
  ["sentinel/network"],
  ["audit/control-outbox", "audit/tree"],
  ["audit"],
  ["idempotency", "identity"],
  ["db", "otp"],
  ["env.ts"],
  ["crypto"],
  ["errors.ts", "job.ts", "location.ts"],
  ["bounded-map.ts", "deadline.ts", "log.ts", "sql-table.ts"],
];

export interface Import {
  readonly from: string;
  readonly to: string;
}

/** The folder of a file; a file directly in the source tree stands for itself. */
export function folderOf(file: string): string {
  const folder = dirname(file);
  return folder === "." ? file : folder;
}

/** The place of a file's layer, from the top; undefined where it has none. */
export function layerOf(file: string): number | undefined {
  const place = layers.findIndex((layer) => layer.includes(folderOf(file)));
  return place === -1 ? undefined : place;
}

/** Every import between files of the tree, type imports too. Paths are relative to the root. */
export function importsIn(root: string): Import[] {
  return globSync("**/*.ts", { cwd: root }).flatMap((from) => {
    const text = readFileSync(join(root, from), "utf8");
    const specifiers = [...text.matchAll(/^(?:import|export|\}) [^"\n]*"(\.[^"]+)";$/gm)];
    return specifiers.flatMap(([, specifier = ""]) => {
      const to = relative(".", join(dirname(from), specifier));
      return to.startsWith("..") ? [] : [{ from, to }];
    });
  });
}
