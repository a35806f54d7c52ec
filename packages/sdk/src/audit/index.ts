/** `@edge-idp/sdk/audit`: verifies the audit trail of a tenant, in Node and in browsers, without the service. */
export type { ByteSource } from "./bytes.ts";
export { CannotVerifyError } from "./cannot-verify-error.ts";
export { verifyConsistency, verifyInclusion } from "./proofs.ts";
export { type SavedTrail, verifyTrail } from "./trail.ts";
export type { CheckpointVerdict, Problem, SignedCheckpoint, Verdict } from "./verdict.ts";
