/** Measures times of many runs, and formats figures. */

export interface Timing {
  readonly medianMs: number;
  /** 19 of 20 runs were faster. */
  readonly p95Ms: number;
  readonly runs: number;
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Runs the work for each item in sequence. The first `warmUp` runs are not measured. */
export async function measureTimes<T>(
  items: readonly T[],
  warmUp: number,
  work: (item: T) => Promise<void>,
): Promise<Timing> {
  const times: number[] = [];
  for (const [index, item] of items.entries()) {
    const startedAt = performance.now();
    await work(item);
    if (index >= warmUp) times.push(performance.now() - startedAt);
  }
  const sorted = times.toSorted((a, b) => a - b);
  return { medianMs: quantile(sorted, 0.5), p95Ms: quantile(sorted, 0.95), runs: sorted.length };
}

/** The course of a quantity over time. */
export interface Course {
  /** Means over the first and the last quarter of the time. */
  readonly firstQuarter: number;
  readonly lastQuarter: number;
  readonly highest: number;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Returns undefined without samples. */
export function courseOf(samples: readonly number[]): Course | undefined {
  if (samples.length === 0) return undefined;
  const quarter = Math.ceil(samples.length / 4);
  return {
    firstQuarter: mean(samples.slice(0, quarter)),
    lastQuarter: mean(samples.slice(-quarter)),
    highest: Math.max(...samples),
  };
}

export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function formatMilliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

export function formatMebibytes(bytes: number | undefined): string {
  return bytes === undefined ? "unknown" : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

export function formatRatio(value: number): string {
  return `${value.toFixed(2)} ×`;
}

export function formatTiming({ medianMs, p95Ms }: Timing): string {
  return `${formatMilliseconds(medianMs)} (p95 ${formatMilliseconds(p95Ms)})`;
}

/** Formats a table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
