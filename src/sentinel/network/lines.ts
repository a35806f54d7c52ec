/** Reads the lines of a text that arrives in pieces, and counts those that could not be read (pure). */

export interface BadLine {
  /** The first line is 1. */
  readonly line: number;
  readonly reason: string;
}

export interface LineCounts {
  /** Lines with an entry. */
  readonly rows: number;
  /** Lines that could not be read. */
  readonly skipped: number;
  /** The first of them, at most `maxBadLines`. */
  readonly badLines: readonly BadLine[];
}

/** What a line is. The function that reads it keeps the content of an entry. */
export type LineRead =
  | { readonly type: "entry" }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

/** How many bad lines are reported with their reason. */
export const maxBadLines = 20;

/** No format has longer lines, so a text without line feeds is not buffered beyond this. */
const maxPendingLength = 8192;

/**
 * `push` accepts pieces cut anywhere; `finish` ends the text. `read` receives each line without line feed.
 */
export function createLineReader(read: (line: string) => LineRead): {
  push(text: string): void;
  finish(): LineCounts;
} {
  const badLines: BadLine[] = [];
  let rows = 0;
  let skipped = 0;
  let lineNumber = 0;
  let pending = "";

  function take(line: string): void {
    lineNumber += 1;
    // Some editors begin a file with a byte order mark.
    const found = read(lineNumber === 1 ? line.replace(/^\uFEFF/, "") : line);
    if (found.type === "entry") rows += 1;
    if (found.type !== "bad") return;
    skipped += 1;
    if (badLines.length < maxBadLines) badLines.push({ line: lineNumber, reason: found.reason });
  }

  return {
    push(text) {
      const lines = (pending + text).split("\n");
      pending = (lines.pop() ?? "").slice(0, maxPendingLength);
      for (const line of lines) take(line);
    },
    finish() {
      if (pending !== "") take(pending);
      pending = "";
      return { rows, skipped, badLines };
    },
  };
}
