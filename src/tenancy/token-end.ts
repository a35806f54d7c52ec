/** The early end of an API token, by revocation or rotation (pure). */
export interface TokenEnd {
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  /** Unix ms; `revokedForGood` for a revocation, which holds at every time. */
  readonly endsAt: number;
}

export const revokedForGood = 0;
