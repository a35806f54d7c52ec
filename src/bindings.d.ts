/** Bindings that a deployment may do without; wrangler.toml says how to add them. */
interface OptionalBindings {
  AUDIT_ARCHIVE?: R2Bucket;
  /** https address that is told every signed head of the audit trail. */
  AUDIT_WITNESS_URL?: string;
}
interface Env extends OptionalBindings {}
declare namespace Cloudflare {
  interface Env extends OptionalBindings {}
}
