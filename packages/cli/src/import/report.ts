/** What became of each user, as sentences and as lines of a report. Neither shows a secret. */
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { Failure } from "../failure.ts";
import type { Outcome } from "./counts.ts";
import type { Entry, ImportRow } from "./entry.ts";

export interface Reported {
  readonly place: string;
  readonly id: string;
  readonly outcome: Outcome;
  /** Of the service. */
  readonly code?: string;
  readonly message?: string;
  /** What cannot come along of a user that can. */
  readonly notes: readonly string[];
  readonly row?: ImportRow;
}

/** The result of the service for one row. */
export interface RowResult {
  readonly outcome: string;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

function knownOutcome(outcome: string): Outcome {
  return outcome === "created" || outcome === "added" || outcome === "skipped" ? outcome : "failed";
}

/** @param result of a user */
export function describeEntry(entry: Entry, result: RowResult | undefined): Reported {
  const { place, id } = entry;
  if (entry.kind !== "user") {
    return { place, id, outcome: entry.kind, message: entry.reason, notes: [] };
  }
  const { outcome, code, message } = result ?? { outcome: "failed" };
  return {
    ...{ place, id, outcome: knownOutcome(outcome), notes: entry.notes, row: entry.row },
    ...(code === undefined ? {} : { code }),
    ...(message === undefined ? {} : { message }),
  };
}

/** Quotes and escapes what could control a terminal. */
function showId(id: string): string {
  return id === "" ? "(no id)" : JSON.stringify(id);
}

function showAuthenticators({ authenticators }: ImportRow): string {
  const each = authenticators.map(
    ({ algorithm, digits, period }) => `${algorithm}, ${digits} digits, ${period} s`,
  );
  if (each.length === 0) return "no authenticator";
  return `${each.length} ${each.length === 1 ? "authenticator" : "authenticators"} (${each.join("; ")})`;
}

function showCodes({ backup_codes: codes }: ImportRow): string {
  if (codes === undefined) return "";
  return "hashes" in codes
    ? `, ${codes.hashes.length} backup codes as ${codes.scheme}`
    : `, ${codes.length} backup codes`;
}

const words: Readonly<Record<Outcome, readonly [done: string, dryRun: string]>> = {
  created: ["created", "would be created"],
  added: ["added to", "would be added to"],
  skipped: ["skipped", "would be skipped"],
  failed: ["failed", "would fail"],
  refused: ["cannot come along", "cannot come along"],
  left_out: ["left out", "left out"],
};

/** The line of one user, and an indented one for each note. */
export function showReported(reported: Reported, isDryRun: boolean): string {
  const { place, id, outcome, message, notes, row } = reported;
  const [done, dryRun] = words[outcome];
  const what = message ?? (row === undefined ? "" : `${showAuthenticators(row)}${showCodes(row)}`);
  const line = `${place}: ${showId(id)} ${isDryRun ? dryRun : done}: ${what}`;
  return [line, ...notes.map((note) => `  not included: ${note}`)].join("\n");
}

function buildLine(reported: Reported): string {
  const { row: _, notes, id, ...others } = reported;
  const fields = { external_id: id, ...others, ...(notes.length === 0 ? {} : { notes }) };
  return `${JSON.stringify(fields)}\n`;
}

/** A file with a line of JSON for each user. */
export class ReportFile {
  readonly path: string;
  readonly #file: number;
  #bytes: number;

  /**
   * @param path absolute
   * @param keptBytes what an interrupted import has written and its journal has recorded; the rest is written again
   * @throws Failure if there is another file
   */
  constructor(path: string, keptBytes: number) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (keptBytes === 0 && size > 0) {
      throw new Failure(`${path} exists; name another file with --report, or delete it.`);
    }
    if (size < keptBytes) {
      throw new Failure(`${path} is not the report as it was; name another file with --report.`);
    }
    try {
      this.#file = openSync(path, "a", 0o600);
    } catch (error) {
      throw new Failure(`${path}: ${error instanceof Error ? error.message : error}`);
    }
    ftruncateSync(this.#file, keptBytes);
    this.path = path;
    this.#bytes = keptBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(all: readonly Reported[]): void {
    const text = all.map(buildLine).join("");
    writeSync(this.#file, text);
    this.#bytes += Buffer.byteLength(text);
  }

  close(): void {
    closeSync(this.#file);
  }
}
