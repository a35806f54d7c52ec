/**
 * Reads the lines of a text that arrives in pieces, and counts those that could not be read (pure). A line ends
 * with LF, CRLF or CR, also mixed in one text, and may begin with a byte order mark.
 */

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
  /** Whether any line begins with a tag: the text is a page of HTML or XML, or includes one. */
  readonly hasMarkup: boolean;
}

/** What a line is. The function that reads it keeps the content of an entry. */
export type LineRead =
  | { readonly type: "entry" }
  | { readonly type: "blank" }
  | { readonly type: "bad"; readonly reason: string };

/** How many bad lines are reported with their reason. */
export const maxBadLines = 20;

/** No format has longer lines, so a text without line ends is not buffered beyond this. */
const maxPendingLength = 8192;

/** A CR at the end of a piece does not end a line yet, because the next piece may begin with its LF. */
const lineEnd = /\r\n|\n|\r(?!$)/;
/** No format has an entry or a comment that begins with `<`. */
const markup = /^\s*<[!?/a-z]/i;

/** Splits a text into its lines. The last one is the rest after the last line end. */
export function splitLines(text: string): string[] {
  return text.split(lineEnd);
}

/** Editors write a byte order mark at the start of a file. Files that are joined have it at later lines too. */
function removeByteOrderMark(line: string): string {
  return line.replace(/^\uFEFF+/, "");
}

/** Keeps the start of a line that has not ended, and a CR at its end. */
function shorten(line: string): string {
  if (line.length <= maxPendingLength) return line;
  return line.slice(0, maxPendingLength) + (line.endsWith("\r") ? "\r" : "");
}

/**
 * `push` accepts pieces cut anywhere; `finish` ends the text. `read` receives each line without its line end
 * and without byte order mark.
 */
export function createLineReader(read: (line: string) => LineRead): {
  push(text: string): void;
  finish(): LineCounts;
} {
  const badLines: BadLine[] = [];
  let rows = 0;
  let skipped = 0;
  let lineNumber = 0;
  let hasMarkup = false;
  let pending = "";

  function take(line: string): void {
    lineNumber += 1;
    const text = removeByteOrderMark(line);
    if (markup.test(text)) hasMarkup = true;
    const found = read(text);
    if (found.type === "entry") rows += 1;
    if (found.type !== "bad") return;
    skipped += 1;
    if (badLines.length < maxBadLines) badLines.push({ line: lineNumber, reason: found.reason });
  }

  return {
    push(text) {
      const lines = splitLines(pending + text);
      pending = shorten(lines.pop() ?? "");
      for (const line of lines) take(line);
    },
    finish() {
      if (pending !== "") take(pending.replace(/\r$/, ""));
      pending = "";
      return { rows, skipped, badLines, hasMarkup };
    },
  };
}
