/** How far an import is: a bar, the rate and the time left (pure). */
const barWidth = 20;

function showSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3_600) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}

export function showWhole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Of those, how many an earlier start has done: they say nothing about the rate. */
  readonly before: number;
  readonly elapsedMs: number;
}

export function showBar({ done, total, before, elapsedMs }: Progress): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(share * barWidth);
  const bar = `[${"#".repeat(full)}${".".repeat(barWidth - full)}]`;
  const rate = elapsedMs === 0 ? 0 : ((done - before) / elapsedMs) * 1000;
  const left =
    rate === 0 ? "" : `, ${showWhole(rate)}/s, ${showSeconds((total - done) / rate)} left`;
  return `${bar} ${showWhole(done)} of ${showWhole(total)}${left}`;
}
