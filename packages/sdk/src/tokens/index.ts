/** `@edge-idp/sdk/tokens`: verifies step-up tokens, in the services that accept them. */
export type { StepUpKeySet } from "./keys.ts";
export { StepUpTokenError, type StepUpTokenReason } from "./step-up-token-error.ts";
export {
  type StepUpChecks,
  type StepUpClaims,
  type StepUpLevel,
  verifyStepUpToken,
} from "./verify.ts";
