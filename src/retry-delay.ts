/** How long an object waits before it tries a failed delivery again (pure). */

const minRetryDelayMs = 200;
const firstRetryWindowMs = 400;
const maxRetryWindowMs = 60_000;

/**
 * Full jitter over a window that doubles: objects that failed together do not come back together.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * @param failures consecutive failed deliveries, from 1
 * @param random from 0 to 1
 */
export function computeRetryDelay(failures: number, random: number): number {
  const windowMs = Math.min(maxRetryWindowMs, firstRetryWindowMs * 2 ** (failures - 1));
  return minRetryDelayMs + Math.floor(random * (windowMs - minRetryDelayMs));
}
