/**
 * Processor time of a process in nanoseconds, as the scheduler of Linux counts it for each thread.
 * `/proc/PID/stat` has hundredths of a second only.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface CpuReading {
  readonly ns: number;
  readonly threads: readonly string[];
}

/** @throws Error where the process or the scheduler's figures are not there */
export function readCpu(pid: number): CpuReading {
  const threads = readdirSync(`/proc/${pid}/task`);
  let ns = 0;
  for (const thread of threads) {
    // Time on a processor, time of waiting for one, and how often.
    const [onProcessor = ""] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(
      " ",
    );
    ns += Number(onProcessor);
  }
  return { ns, threads };
}

/** A thread that has ended takes its time out of the sum. */
export function lostThread(before: CpuReading, after: CpuReading): boolean {
  const present = new Set(after.threads);
  return before.threads.some((thread) => !present.has(thread));
}
