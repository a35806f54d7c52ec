/** Optional bindings; wrangler.toml shows how to add them. */
interface OptionalBindings {
  AUDIT_ARCHIVE?: R2Bucket;
  DELIVERIES?: Queue;
  /** https URL to which the witness sends every signed tree head. */
  AUDIT_WITNESS_URL?: string;
  /** The keys that sign step-up tokens; without them, none can be asked for. */
  TOKEN_SIGNING_KEYS?: string;
  /** The address at which clients reach the service, which is the issuer of step-up tokens. */
  PUBLIC_URL?: string;
  /** Further shards: `DB_1`, `DB_2` and so on, numbered without a gap. */
  [shard: `DB_${number}`]: D1Database;
}
interface Env extends OptionalBindings {}
declare namespace Cloudflare {
  interface Env extends OptionalBindings {}
}
