/** `@edge-idp/sdk/tokens`: verifies step-up tokens, in the services that accept them. */
export type { StepUpChecks, StepUpLevel } from "./checks.ts";
export type { StepUpKeySet } from "./keys.ts";
export { StepUpTokenError, type StepUpTokenReason } from "./step-up-token-error.ts";
export { type StepUpClaims, verifyStepUpToken } from "./verify.ts";
