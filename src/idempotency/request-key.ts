/**
 * `Idempotency-Key` (pure types): a repeated request with the same key gets the first answer again, and is
 * not applied twice.
 *
 * An answer is kept in the transaction that records the change: in the identity's guard (guard/replay.ts),
 * or in D1 (run-once.ts).
 */

/** How long an answer is kept after its first request. */
export const answerLifetimeMs = 24 * 60 * 60 * 1000;

export interface RequestKey {
  /** SHA-256 over the operation and the key as sent, hex. The tenant is the scope around it. */
  readonly key: string;
  /** SHA-256 over path, query, body and `Acting-For` of the request, hex. The same key with another digest is an error. */
  readonly digest: string;
}

/** The request whose answer is replayed. */
export interface FirstRequest {
  readonly requestId: string;
  /** The time that it ran at, Unix ms. */
  readonly at: number;
}

/** Whether an answer may still be replayed. @param now Unix ms; the tenant's test clock if one was sent */
export function isKept({ at }: { readonly at: number }, now: number): boolean {
  return now < at + answerLifetimeMs;
}
