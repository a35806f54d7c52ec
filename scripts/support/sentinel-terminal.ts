/** What an import says while it works: on standard error, so that figures alone are the output. */

export function printLine(text: string): void {
  showProgress("");
  process.stderr.write(`${text}\n`);
}

/** Rewrites one line on a terminal; silent elsewhere, where it would fill a log. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
