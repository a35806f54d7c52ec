/**
 * `npm run bench:scale`: the tables of docs/scale.md, computed from published prices, limits and
 * latencies and from counts. Instant; nothing is started. ../README.md says what goes in.
 */
import { runScript } from "../../scripts/support/failure.ts";
import { scaleTables } from "./report.ts";

await runScript(async () => {
  const sections = Object.entries(scaleTables()).map(([name, text]) => `### ${name}\n\n${text}\n`);
  process.stdout.write(sections.join("\n"));
  return 0;
});
