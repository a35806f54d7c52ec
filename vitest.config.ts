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

// Where wrangler looks for them, so that it does not warn of missing ones.
Object.assign(process.env, secrets);

export default defineConfig(async () => ({
  plugins: [
    cloudflareTest({
      wrangler: { configPath: "./wrangler.toml" },
      miniflare: {
        r2Buckets: ["AUDIT_ARCHIVE"],
        bindings: { ...secrets, TEST_MIGRATIONS: await readD1Migrations("migrations") },
      },
    }),
  ],
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["./test/support/setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
}));
