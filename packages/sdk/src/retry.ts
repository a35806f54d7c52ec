/** Which failures are tried again, and when. */
import type { IdpError } from "./idp-error.ts";

const firstDelayMs = 200;
const maxDelayMs = 5_000;
/** If the service asks for a longer wait, the call fails at once, and the caller decides. */
const maxRetryAfterSeconds = 30;

/** Statuses that a repetition may change. Proxies send 502 and 504 if they do not reach the service. */
const temporaryStatuses: readonly number[] = [429, 502, 503, 504];
const temporaryCodes: readonly string[] = ["unreachable", "timeout", "idempotency_in_progress"];

function isTemporary({ code, status }: IdpError): boolean {
  return temporaryStatuses.includes(status) || temporaryCodes.includes(code);
}

/**
 * How long to wait before the next try: exponential backoff with full jitter, and never less than `Retry-After`.
 *
 * @param retries how many retries there were
 * @returns milliseconds; undefined if the call should fail with the error
 */
export function findRetryDelay(error: IdpError, retries: number): number | undefined {
  const { retryAfterSeconds = 0 } = error;
  if (!isTemporary(error) || retryAfterSeconds > maxRetryAfterSeconds) return undefined;
  const backoffMs = Math.random() * Math.min(maxDelayMs, firstDelayMs * 2 ** retries);
  return Math.max(backoffMs, retryAfterSeconds * 1000);
}

/** Waits, unless the signal ends the wait. @throws the signal's reason */
export async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  let stop: () => void = () => {};
  try {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      stop = () => {
        clearTimeout(timer);
        resolve();
      };
      signal?.addEventListener("abort", stop);
    });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  signal?.throwIfAborted();
}
