/** Prints progress to standard error, so that standard output holds only the figures. */

export function printLine(text: string): void {
  showProgress("");
  process.stderr.write(`${text}\n`);
}

/** Rewrites one line of a terminal; prints nothing elsewhere. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
