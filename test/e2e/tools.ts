/** Programs that a check needs and npm does not install. */
import { spawnSync } from "node:child_process";
import type { Report } from "./report.ts";

function isMissing(tool: string): boolean {
  return spawnSync(tool, ["--version"], { stdio: "ignore" }).error !== undefined;
}

/**
 * Whether all tools are there. A missing tool is a failure in CI, and elsewhere it skips what the title names.
 */
export function hasTools(report: Report, title: string, tools: readonly string[]): boolean {
  const missing = tools.filter(isMissing);
  if (missing.length === 0) return true;
  const reason = `NOT CHECKED: ${missing.join(" and ")} must be installed`;
  if (process.env.CI) report.add(title, [reason]);
  else report.skip(title, `${reason}. CI runs this check.`);
  return false;
}
