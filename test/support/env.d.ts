declare namespace Cloudflare {
  interface Env {
    /** The migrations, read by vitest.config.ts. */
    QUEUE_FOR_TESTS: Queue;
    TEST_MIGRATIONS: import("cloudflare:test").D1Migration[];
  }
}
