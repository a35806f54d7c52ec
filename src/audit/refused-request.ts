/**
 * Requests that are refused before they reach an identity, as far as a tenant's API token accounts
 * for them. A forged token with the right checksum has no record: it is nobody's, and so is what is
 * asked with it.
 */
import type { ErrorCode } from "../errors.ts";
import type { Location } from "../location.ts";

export interface RefusedRequest {
  readonly tenantId: string;
  readonly tokenId: string;
  /** Where the tenant's objects are. */
  readonly location: Location;
  readonly code: ErrorCode;
  /** The operation that was asked for: the name of its route. */
  readonly route: string;
  /** Unix ms; the tenant's test clock where one was sent. */
  readonly at: number;
  /** Real time, Unix ms. */
  readonly arrivedAt: number;
  readonly requestId: string;
}

/**
 * The errors that no other event tells of. An identity's guard tells of what it refuses; a malformed
 * request attempted nothing, and a fault decided nothing.
 */
const reportedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "invalid_token",
  "insufficient_scope",
  "rate_limited",
  "user_not_found",
  "assessment_not_found",
  "not_found",
]);

export function isReportedRefusal(code: ErrorCode): boolean {
  return reportedCodes.has(code);
}
