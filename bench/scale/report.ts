/** The tables of docs/scale.md, each by its name, in the order of the document. */
import { costTables } from "./cost-tables.ts";
import { latencyTables } from "./latency-tables.ts";
import { saturationTables } from "./saturation-tables.ts";

export function scaleTables(): Readonly<Record<string, string>> {
  return { ...costTables(), ...saturationTables(), ...latencyTables() };
}
