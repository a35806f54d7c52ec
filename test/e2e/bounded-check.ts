/** Runs a check that starts processes, and ends them whatever happens. */
import { whenNpmEnds } from "../../scripts/support/parent.ts";
import type { Report } from "./report.ts";

export interface Check {
  readonly run: () => Promise<void>;
  /** Ends every process that the check started, and deletes its files. */
  readonly close: () => Promise<void>;
}

/** Runs the check until it ends, a signal arrives, npm ends, or its time is over. Reports all but the first as failures. */
export async function runBounded(report: Report, check: Check, timeLimitMs: number): Promise<void> {
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => ended.abort(`ended by ${signal}`));
  }
  whenNpmEnds(() => ended.abort("npm has ended"));
  const interrupted = new Promise<string>((resolve) => {
    ended.signal.addEventListener("abort", () => resolve(String(ended.signal.reason)));
  });
  const timer = setTimeout(() => ended.abort("it took too long"), timeLimitMs);
  try {
    const problem = await Promise.race([check.run(), interrupted]);
    if (problem !== undefined) report.add("the check completes", [problem]);
  } catch (error) {
    report.add("the check completes", [String(error)]);
  } finally {
    clearTimeout(timer);
    await check.close();
  }
}
