/** Lines of a text that arrives in pieces, and an account of those that could not be read (pure). */

export interface BadLine {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
}

export interface LineCounts {
  /** Lines with an entry. */
  readonly rows: number;
  /** Lines that could not be read. */
  readonly skipped: number;
  /** The first of them. */
  readonly badLines: readonly BadLine[];
}

/** What a line was; what was in an entry its reader keeps. */
export type LineRead =
  | { readonly type: "entry" }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

/** How many bad lines are kept with their reason. */
export const maxBadLines = 20;

/** No reader takes a line that long, so a text without line feeds is not gathered beyond it. */
const maxPendingLength = 8192;

/** `push` takes text cut anywhere, `finish` the rest. `read` gets each line without its line feed. */
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
    // A byte order mark is not white space to every editor that put it there.
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
