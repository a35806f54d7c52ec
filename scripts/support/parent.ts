/** Detects the end of the parent process, whatever the cause. */

const checkMs = 500;

/** Calls back once the parent process has ended. Does not keep this process alive. */
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
 * Does the same if npm runs this script: a signal to npm ends npm and its shell, but not the script below them.
 * Does nothing without npm.
 */
export function whenNpmEnds(callback: () => void): void {
  if (process.env.npm_lifecycle_event !== undefined) whenParentEnds(callback);
}
