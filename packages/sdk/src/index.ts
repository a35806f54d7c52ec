/**
 * The client of Edge IDP. The verifier of its audit trail is `@edge-idp/sdk/audit`, that of its step-up tokens
 * `@edge-idp/sdk/tokens`, that of messages to webhooks `@edge-idp/sdk/webhooks`, and the part of passkeys that runs in a
 * browser `@edge-idp/sdk/browser`.
 */
export type { Assessment, Recommendation } from "./assessment.ts";
export { EdgeIdp } from "./edge-idp.ts";
export type { ClientErrorCode, ErrorCode } from "./error-code.ts";
export { serviceErrorCodes } from "./error-code.ts";
export type { components, operations, paths } from "./generated/api.ts";
export { IdpError, type IdpErrorDetails } from "./idp-error.ts";
export type { EdgeIdpOptions, RequestOptions } from "./options.ts";
export { type Page, Pages } from "./pages.ts";
export type { Audit } from "./resources/audit.ts";
export type { Authenticators } from "./resources/authenticators.ts";
export type { BackupCodes } from "./resources/backup-codes.ts";
export type { Devices } from "./resources/devices.ts";
export type { Health } from "./resources/health.ts";
export type { Keys } from "./resources/keys.ts";
export type { ConfigureOtpInput, Otp } from "./resources/otp.ts";
export type { Passkeys } from "./resources/passkeys.ts";
export type { Sentinel } from "./resources/sentinel.ts";
export type { Settings } from "./resources/settings.ts";
export type { StepUp } from "./resources/step-up.ts";
export type { Streams } from "./resources/streams.ts";
export type { TenantTokens } from "./resources/tenant-tokens.ts";
export type { Tenants } from "./resources/tenants.ts";
export type { Tokens } from "./resources/tokens.ts";
export type { Users } from "./resources/users.ts";
export type { Webhooks } from "./resources/webhooks.ts";
export type * from "./types.ts";
