/**
 * `Idempotency-Key` (pure types): by it a repeated request is known, and answered as the first one was
 * instead of being carried out again.
 *
 * Answers are kept where the change itself is recorded, in the same transaction: in the identity's guard
 * (guard/replay.ts), or in D1 for what happens there (once.ts).
 */

/** How long a key is known after its first request. */
export const answerLifetimeMs = 24 * 60 * 60 * 1000;

export interface RequestKey {
  /** SHA-256 over the operation and the key as sent, hex. The tenant is the scope around it. */
  readonly key: string;
  /** SHA-256 over path, query and body of the request, hex: the same key with another is a mistake. */
  readonly digest: string;
}

/** The request that was carried out, where a later one repeated it. */
export interface FirstRequest {
  readonly requestId: string;
  /** Unix ms: the time it ran at. */
  readonly at: number;
}

/** @param now Unix ms; the tenant's test clock where one was sent */
export function isKept({ at }: { readonly at: number }, now: number): boolean {
  return now < at + answerLifetimeMs;
}
