import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig } from "vitest/config";

// Secrets of the test run only: fixed, so that a failing test can be repeated.
const secrets = {
  OPERATOR_TOKEN: "operator-token-of-the-test-run-0123456789",
  SEALING_KEYS: `1:${btoa("sealing key one, thirty-two byte")}`,
  BACKUP_CODE_KEYS: `1:${btoa("backup codes key, 32 bytes long!")}`,
  AUDIT_SIGNING_KEYS: `1:${btoa("audit signing seed, 32 bytes (!)")}`,
  ADDRESS_HASH_KEY: btoa("address hashing key, 32 bytes :)"),
};

// Histories of concurrent calls (test/history/): how many, and the seed to repeat a run with.
const histories = {
  count: Number(process.env.HISTORIES ?? 200),
  seed: Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 30)),
};

// Random requests (test/fuzz/), in each of five files; `FUZZ_SEED` repeats a run, or makes another.
const fuzz = {
  requests: Number(process.env.FUZZ_REQUESTS ?? 2_000),
  seed: Number(process.env.FUZZ_SEED ?? 0),
};

// Where wrangler looks for them, so that it does not warn of missing ones.
Object.assign(process.env, secrets);

export default defineConfig(async () => ({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        r2Buckets: ["AUDIT_ARCHIVE"],
        // Besides that of wrangler.toml: tenants can be moved, and live in `DB` unless a test moves them.
        d1Databases: ["DB_1", "DB_2"],
        bindings: { ...secrets, TEST_MIGRATIONS: await readD1Migrations("migrations") },
      },
    }),
  ],
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["./test/support/setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A file of tests waits more than it computes.
    maxWorkers: 2,
    provide: { histories, fuzz },
  },
}));
