/** Counts, reports and prints what becomes of each user. */
import { printLine, showProgress } from "../progress.ts";
import { addCounts, type Counts, countEntries, countOutcomes } from "./counts.ts";
import { showBar, showWhole } from "./progress-bar.ts";
import { type Reported, type ReportFile, showReported } from "./report.ts";

/** Users whose failure is printed; the report has all of them. */
const maxPrinted = 20;

export function showSummary(counts: Counts, isDryRun: boolean): string {
  const would = isDryRun ? "would be " : "";
  const parts = [
    `${showWhole(counts.created)} ${would}created`,
    `${showWhole(counts.added)} ${would}added to`,
    `${showWhole(counts.skipped)} ${would}skipped`,
    `${showWhole(counts.failed)} ${isDryRun ? "would fail" : "failed"}`,
    `${showWhole(counts.refused)} cannot come along`,
    `${showWhole(counts.left_out)} left out`,
  ];
  return `${showWhole(countEntries(counts))} entries: ${parts.join(", ")}.\n`;
}

export interface DisplaySettings {
  readonly isDryRun: boolean;
  readonly report: ReportFile | undefined;
  /** The entries of the file. */
  readonly total: number;
  /** What an earlier start has done. */
  readonly before: Counts;
}

export class Display {
  readonly #settings: DisplaySettings;
  readonly #startedAt = performance.now();
  #counts: Counts;
  #failures = 0;

  constructor(settings: DisplaySettings) {
    this.#settings = settings;
    this.#counts = settings.before;
  }

  get counts(): Counts {
    return this.#counts;
  }

  add(reported: readonly Reported[]): void {
    const { report, total, before } = this.#settings;
    this.#counts = addCounts(this.#counts, countOutcomes(reported));
    report?.append(reported);
    for (const one of reported) this.#print(one);
    const elapsedMs = performance.now() - this.#startedAt;
    const done = countEntries(this.#counts);
    showProgress(showBar({ done, total, before: countEntries(before), elapsedMs }));
  }

  /** A dry run without a report prints every user, and otherwise the first failures are printed. */
  #print(one: Reported): void {
    const { isDryRun, report } = this.#settings;
    if (isDryRun && report === undefined) {
      showProgress("");
      process.stdout.write(`${showReported(one, true)}\n`);
    } else if (one.outcome === "failed" || one.outcome === "refused") {
      this.#failures += 1;
      if (this.#failures <= maxPrinted) printLine(showReported(one, isDryRun));
      if (this.#failures === maxPrinted + 1) {
        printLine("Further failures are not printed; a report has all of them (--report FILE).");
      }
    }
  }
}
