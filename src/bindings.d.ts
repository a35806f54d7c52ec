/** Bindings that a deployment may do without; wrangler.toml says how to add them. */
interface OptionalBindings {
  AUDIT_ARCHIVE?: R2Bucket;
  /** https address that is told every signed head of the audit trail. */
  AUDIT_WITNESS_URL?: string;
  /** Further databases for the data of tenants: `DB_1`, `DB_2` and so on, without a gap. */
  [shard: `DB_${number}`]: D1Database;
}
interface Env extends OptionalBindings {}
declare namespace Cloudflare {
  interface Env extends OptionalBindings {}
}
