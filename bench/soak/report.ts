/** Formats the course and the result of a soak. */
import { formatMebibytes, whole } from "../support/figures.ts";
import { isFaultless, type Verdict } from "./ledger.ts";
import type { Tally } from "./load.ts";
import type { Memory } from "./processes.ts";

const maxShown = 10;
/** Until then, caches and compiled code still grow. */
const settledAnswers = 20_000;

export interface Reading {
  readonly answers: number;
  readonly perSecond: number;
  readonly users: number;
  readonly memory: Memory | undefined;
}

export function formatReading({ answers, perSecond, users, memory }: Reading): string {
  const parts = memory?.parts
    .slice(0, 4)
    .map(({ name, bytes }) => `${name} ${formatMebibytes(bytes)}`)
    .join(", ");
  return `${whole(answers)} answers, ${whole(perSecond)} a second, ${whole(users)} users, ${
    memory === undefined ? "memory unknown" : `${formatMebibytes(memory.bytes)} (${parts})`
  }`;
}

function formatFaults(what: string, faults: readonly string[]): string {
  if (faults.length === 0) return "";
  const shown = faults.slice(0, maxShown).map((fault) => `  ${fault}\n`);
  const more = faults.length > maxShown ? `  and ${whole(faults.length - maxShown)} more\n` : "";
  return `${whole(faults.length)} ${what}:\n${shown.join("")}${more}`;
}

function formatGrowth(readings: readonly Reading[]): string {
  const settled = readings.find(({ answers }) => answers >= settledAnswers);
  const last = readings.at(-1);
  if (settled?.memory === undefined || last?.memory === undefined || settled === last) return "";
  const ratio = last.memory.bytes / settled.memory.bytes;
  return `Memory was ${formatMebibytes(settled.memory.bytes)} after ${whole(settled.answers)} answers and ${formatMebibytes(last.memory.bytes)} after ${whole(last.answers)}: ${ratio.toFixed(2)} ×.\n`;
}

export function formatVerdict(
  verdict: Verdict,
  { answers, users, unacknowledged, wrongAnswers }: Tally,
  readings: readonly Reading[],
): string {
  const { acknowledged, found, missing, repeated, different, unexplained } = verdict;
  const isGood = isFaultless(verdict) && wrongAnswers.length === 0;
  const without = [...unacknowledged].map(([why, count]) => `${why}: ${whole(count)}`);
  return [
    `${whole(answers)} answers about ${whole(users)} users; ${whole(acknowledged)} acknowledged acts, ${whole(found)} of them in the trail.\n`,
    without.length === 0 ? "" : `Requests that acknowledged nothing: ${without.join(", ")}.\n`,
    formatGrowth(readings),
    formatFaults("acts are missing", missing),
    formatFaults("events are repeated", repeated),
    formatFaults("events differ from their acts", different),
    formatFaults("events have no act", unexplained),
    formatFaults("answers are wrong", wrongAnswers),
    isGood ? "Passed.\n" : "FAILED.\n",
  ].join("");
}
