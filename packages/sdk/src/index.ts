/** The client of Edge IDP. The verifier of its audit trail is `@edge-idp/sdk/audit`. */
export type { Assessment, Recommendation } from "./assessment.ts";
export { EdgeIdp } from "./edge-idp.ts";
export type { ClientErrorCode, ErrorCode } from "./error-code.ts";
export { serviceErrorCodes } from "./error-code.ts";
export type { components, operations, paths } from "./generated/api.ts";
export { IdpError, type IdpErrorDetails } from "./idp-error.ts";
export type { EdgeIdpOptions, RequestOptions } from "./options.ts";
export { type Page, Pages } from "./pages.ts";
export type { ConfigureOtpInput } from "./resources/otp.ts";
export type * from "./types.ts";
