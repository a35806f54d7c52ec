/**
 * A request that is refused before it reaches an identity, with the API token that sent it. A forged
 * token has no record and belongs to no tenant, so its requests are in no trail.
 */
import type { ErrorCode } from "../errors.ts";
import type { CountedRequest } from "./counted-request.ts";

export interface RefusedRequest extends CountedRequest {
  readonly code: ErrorCode;
  /** The name of the requested operation's route. */
  readonly route: string;
}

/**
 * The errors that no other event reports. An identity's guard reports what it refuses itself. A malformed
 * request attempted nothing, and a fault decided nothing, so neither has an event.
 */
const reportedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid_token",
  "insufficient_scope",
  "tenant_suspended",
  "rate_limited",
  "user_not_found",
  "passkey_unknown",
  "assessment_not_found",
  "not_found",
  "too_many",
  "last_token",
  "export_not_allowed",
]);

export function isReportedRefusal(code: ErrorCode): boolean {
  return reportedCodes.has(code);
}
