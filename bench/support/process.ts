/** Measures processes by /proc of Linux. On other systems the figures are undefined. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const sampleMs = 100;
const bytesPerKb = 1_024;
/** Linux counts processor time in hundredths of a second (USER_HZ). */
const msPerTick = 10;

/** Finds the processes that this process has started. */
export function findChildPids(): number[] {
  try {
    return readdirSync("/proc/self/task").flatMap((thread) =>
      readFileSync(`/proc/self/task/${thread}/children`, "utf8")
        .split(" ")
        .filter((pid) => pid !== "")
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** Reads the current (`VmRSS`) or peak (`VmHWM`) memory of a process in bytes; undefined if unknown. */
export function readMemory(pid: number | undefined, field: "VmRSS" | "VmHWM"): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const [, kb] = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
    return kb === undefined ? undefined : Number(kb) * bytesPerKb;
  } catch {
    return undefined;
  }
}

/** Reads the processor time of a process in ms, with a resolution of 10 ms; undefined if unknown. */
function readProcessorMs(pid: number | undefined): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields 14 and 15 are utime and stime; the name in brackets before them may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * msPerTick;
  } catch {
    return undefined;
  }
}

/** Runs the work, and measures its time and the processor time of a process. */
export async function measureTime<T>(
  pid: number | undefined,
  work: () => Promise<T>,
): Promise<{
  readonly result: T;
  readonly ms: number;
  readonly processorMs: number | undefined;
}> {
  const before = readProcessorMs(pid);
  const startedAt = performance.now();
  const result = await work();
  const ms = performance.now() - startedAt;
  const after = readProcessorMs(pid);
  const processorMs = before === undefined || after === undefined ? undefined : after - before;
  return { result, ms, processorMs };
}

/** Runs the work, and samples the memory of a process in bytes; no samples if it is unknown. */
export async function measureMemory<T>(
  pid: number | undefined,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly samples: readonly number[] }> {
  const samples: number[] = [];
  const sample = () => {
    const bytes = readMemory(pid, "VmRSS");
    if (bytes !== undefined) samples.push(bytes);
  };
  const timer = setInterval(sample, sampleMs);
  try {
    const result = await work();
    sample();
    return { result, samples };
  } finally {
    clearInterval(timer);
  }
}

export interface Finished {
  readonly code: number | null;
  readonly output: string;
  readonly ms: number;
  /** Peak memory in bytes, at the last sample; undefined if unknown. */
  readonly peakMemory: number | undefined;
}

/** Runs a Node script until it ends. */
export async function runNode(args: readonly string[]): Promise<Finished> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  let peakMemory: number | undefined;
  const timer = setInterval(() => {
    peakMemory = readMemory(child.pid, "VmHWM") ?? peakMemory;
  }, sampleMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    const ms = performance.now() - startedAt;
    return { code, output: Buffer.concat(chunks).toString("utf8"), ms, peakMemory };
  } finally {
    clearInterval(timer);
  }
}
