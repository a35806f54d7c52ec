/** Errors as the command shows them. */
import type { IdpError } from "@edge-idp/sdk";

/** Includes the cause, which alone explains a failed request. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${messageOf(error.cause)})`;
}

/** The service's sentence, which field is wrong, and by which id its log has the request. */
export function describeIdpError(error: IdpError): string {
  const { code, status, requestId, issues = [] } = error;
  const fields = issues.map(({ path, message }) => `  ${path} ${message}`);
  const origin =
    status === 0
      ? code
      : [`${status} ${code}`, ...(requestId === undefined ? [] : [`request ${requestId}`])].join(
          ", ",
        );
  return [`${messageOf(error)} [${origin}]`, ...fields].join("\n");
}
