/** What the comparison of a code with the present state leads to (pure). */
import { type Authenticator, nameInEvent } from "./authenticators.ts";
import type { IdentityState } from "./state.ts";

/** A code in its normalised spelling. */
export type Attempt =
  | { readonly method: "totp"; readonly code: string }
  | {
      readonly method: "backup_code";
      readonly code: string;
      /** As it was typed, for imported codes. Absent in a call of an older build. */
      readonly typed?: string;
    };

/** A code that confirms is compared with pending secrets alone. */
export type Purpose = "login" | "confirm";

/** Returned when the state changed while the evidence was gathered: it must be gathered again. */
export const stale = Symbol("stale");

export interface Evaluation {
  readonly accepted: boolean;
  /**
   * The reason for a rejection. Only `code_already_used` counts no failure, and the client receives it. For every
   * other reason the client receives `invalid_code`; only the trail has the reason itself.
   */
  readonly reason?: "invalid_code" | "replayed_code" | "spent_code" | "code_already_used";
  readonly change: Partial<IdentityState>;
  readonly confirmed?: boolean;
  /** The TOTP secret that the code was accepted with, or would have been at another time. */
  readonly authenticator?: Authenticator;
  /** How far the clock would be ahead that shows the rejected code now. Only the trail has it. */
  readonly clockOffBySeconds?: number;
}

/** Why a code was rejected, as its event says it. */
export function describeRejection({
  reason = "invalid_code",
  authenticator,
  clockOffBySeconds,
}: Evaluation) {
  const clock =
    authenticator === undefined || clockOffBySeconds === undefined
      ? {}
      : { clock_off_by_seconds: clockOffBySeconds, ...nameInEvent(authenticator) };
  return { reason, clock };
}

export const alreadyUsed: Evaluation = {
  accepted: false,
  reason: "code_already_used",
  change: {},
};
