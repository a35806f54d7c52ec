/** Notices that the process which started this one has gone, however it went. */

const checkMs = 500;

/** Calls back once when the parent process is gone. Does not keep this process alive. */
export function whenParentEnds(callback: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    callback();
  }, checkMs);
  timer.unref();
}

/**
 * The same for a script that npm runs, and never otherwise: npm, told to end, ends only the shell
 * between itself and the script.
 */
export function whenNpmEnds(callback: () => void): void {
  const { npm_lifecycle_event: script } = process.env;
  if (script !== undefined) whenParentEnds(callback);
}
