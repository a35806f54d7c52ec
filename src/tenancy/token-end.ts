/** The early end of an API token, by revocation or rotation (pure). */
import type { StampedEvent } from "../audit/event.ts";

export interface TokenEnd {
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  /** Unix ms; `revokedForGood` for a revocation, which holds at every time. */
  readonly endsAt: number;
}

export const revokedForGood = 0;

/** A revocation as the token register keeps it until D1 has it. */
export interface Revocation {
  readonly tenantId: string;
  /** The revoked token's. */
  readonly id: string;
  readonly hash: string;
  /** Real time, Unix ms. */
  readonly at: number;
  readonly events: readonly StampedEvent[];
}

/** The token that authenticated a revocation. */
export interface RevokingToken {
  readonly hash: string;
  /** When it ends according to its record, Unix ms; null: never. */
  readonly expiresAt: number | null;
  /** Whether another token with `tokens:write` must remain, because the revoked one has that permission. */
  readonly needsOtherWriter: boolean;
  /** The request's time, Unix ms. */
  readonly now: number;
}

export interface RegisterResult {
  /** The one that the register keeps: this one, or an earlier one of the same token. Null: none was recorded. */
  readonly kept: Revocation | null;
  /** Why: the caller's own token has ended, or no other token with `tokens:write` would remain. */
  readonly refusal: "invalid_token" | "last_token" | null;
}
