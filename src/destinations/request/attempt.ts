/** What an attempt to deliver came to (pure). It contains nothing that was sent or received. */

export interface Attempt {
  /** When it began, Unix ms. */
  readonly at: number;
  readonly milliseconds: number;
  /** The status of the answer; null if there was none. */
  readonly status: number | null;
  /** Why it failed, as one of a few fixed words; null for a success. */
  readonly error: AttemptError | null;
}

/**
 * `status`: another status than 2xx. `redirect`: the answer is a redirect, which is not followed. `timeout`: no answer
 * in time. `connection`: there was no complete answer. `target`: the address is not one that the service sends to.
 * `configuration`: the request could not be built.
 */
export const attemptErrors = [
  "status",
  "redirect",
  "timeout",
  "connection",
  "target",
  "configuration",
] as const;
export type AttemptError = (typeof attemptErrors)[number];

export function isDelivered({ error }: Attempt): boolean {
  return error === null;
}
