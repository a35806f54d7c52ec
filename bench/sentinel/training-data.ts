/** Writes the features of matched logins and attacks as files that train/train.py reads. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { featureNames } from "./features.ts";
import type { Year } from "./year.ts";

/** One folder for each data set, named by its digests, with the rows as CSV and what they belong to as JSON. */
export function writeTrainingData(folder: string, years: readonly Year[], users: number): void {
  const digests = years.map(({ digest }) => digest);
  const own = join(folder, digests.join("-"));
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "data.json"), JSON.stringify({ digests, users }));
  const head = ["seed", "period", "kind", ...featureNames].join(",");
  for (const { seed, features } of years) {
    const rows = features.map(({ period, kind, values }) =>
      [seed, period, kind, ...values.map((value) => Number(value.toFixed(4)))].join(","),
    );
    writeFileSync(join(own, `${seed}.csv`), `${[head, ...rows].join("\n")}\n`);
  }
}
