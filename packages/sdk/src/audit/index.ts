/** `@edge-idp/sdk/audit`: verifies the audit trail of a tenant, in Node and in browsers, without the service. */
export { verifyBundle } from "./bundle.ts";
export type { ByteSource } from "./bytes.ts";
export { CannotVerifyError } from "./cannot-verify-error.ts";
export { verifyConsistency, verifyInclusion } from "./proofs.ts";
export { type SavedTrail, verifyTrail } from "./trail.ts";
export type {
  BundleVerdict,
  CheckpointVerdict,
  Problem,
  SignedCheckpoint,
  Verdict,
} from "./verdict.ts";
