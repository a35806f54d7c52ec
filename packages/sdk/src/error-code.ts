/** Codes that the service sends, and those that the client adds. */

/** The codes of the service that this version knows. They are stable; a later service may send further ones. */
export const serviceErrorCodes = [
  "assessment_not_found",
  "body_too_large",
  "code_already_used",
  "device_not_found",
  "export_not_allowed",
  "high_risk",
  "idempotency_in_progress",
  "idempotency_mismatch",
  "insufficient_scope",
  "internal_error",
  "invalid_code",
  "invalid_json",
  "invalid_passkey",
  "invalid_request",
  "invalid_token",
  "last_token",
  "method_not_allowed",
  "missing_token",
  "no_pending_enrolment",
  "not_found",
  "otp_disabled",
  "otp_not_configured",
  "passkey_exists",
  "passkey_not_configured",
  "authenticator_not_found",
  "passkey_not_found",
  "passkey_unknown",
  "passkeys_not_set_up",
  "rate_limited",
  "relocation_in_progress",
  "step_up_tokens_not_set_up",
  "tenant_active",
  "tenant_deleting",
  "tenant_suspended",
  "too_many",
  "unavailable",
  "unsupported_media_type",
  "user_exists",
  "user_locked",
  "user_not_found",
  "user_suspended",
  "verification_required",
] as const;

/**
 * Codes of the client: `unreachable`: no answer arrived, or its end did not; `timeout`: none arrived in time;
 * `unexpected_answer`: something other than the service answered, such as a proxy, or a much newer service.
 */
export type ClientErrorCode = "unreachable" | "timeout" | "unexpected_answer";

/** Each code that is known, and any other text: treat an unknown code like other errors of its HTTP status. */
export type ErrorCode =
  | (typeof serviceErrorCodes)[number]
  | ClientErrorCode
  | (string & Record<never, never>);
