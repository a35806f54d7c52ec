/** Errors as the command shows them. */
import type { IdpError } from "@edge-idp/sdk";

/** Includes the cause, which alone explains a failed request. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${messageOf(error.cause)})`;
}

/** The service's sentence, and by which id its log has the request. */
export function describeIdpError(error: IdpError): string {
  const { code, status, requestId } = error;
  const request = requestId === undefined ? "" : `, request ${requestId}`;
  return `${messageOf(error)} [${status === 0 ? "" : `${status} `}${code}${request}]`;
}
