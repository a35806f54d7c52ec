/**
 * Reads the processor time of a process in nanoseconds, as the Linux scheduler counts it for each thread.
 * `/proc/PID/stat` has a resolution of only 10 ms.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface CpuReading {
  readonly ns: number;
  readonly threads: readonly string[];
}

/** @throws Error if the process does not exist, or the system is not Linux */
export function readCpu(pid: number): CpuReading {
  const threads = readdirSync(`/proc/${pid}/task`);
  let ns = 0;
  for (const thread of threads) {
    // Time on a processor, time waiting for one, and number of turns.
    const [onProcessor = ""] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(
      " ",
    );
    ns += Number(onProcessor);
  }
  return { ns, threads };
}

/** Whether a thread has ended between the readings: its time is missing from the second. */
export function hasLostThread(before: CpuReading, after: CpuReading): boolean {
  const present = new Set(after.threads);
  return before.threads.some((thread) => !present.has(thread));
}
