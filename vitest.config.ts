import { globSync } from "node:fs";
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

/** Long campaigns run whole with `npm run test:full`, and in part with `npm test` (test/support/campaign.ts). */
const isFull = process.env.TEST_SIZE === "full";

// Histories of concurrent calls (test/history/): how many, and the seed to repeat a run with.
const histories = {
  count: Number(process.env.HISTORIES ?? (isFull ? 200 : 32)),
  seed: Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 30)),
};

// Random requests (test/fuzz/), in each of five files; `FUZZ_SEED` repeats a run, or makes another.
const fuzz = {
  requests: Number(process.env.FUZZ_REQUESTS ?? (isFull ? 2_000 : 400)),
  seed: Number(process.env.FUZZ_SEED ?? 0),
};

// Where wrangler looks for them, so that it does not warn of missing ones.
Object.assign(process.env, secrets);
// A warning is worth a line of a green run, what wrangler tells besides is not.
process.env.WRANGLER_LOG ??= "warn";

const migrations = await readD1Migrations("migrations");

function workers() {
  return cloudflareTest({
    wrangler: { configPath: "./wrangler.toml" },
    // The runtime else tells of each guard that is broken off on purpose.
    verbose: false,
    miniflare: {
      r2Buckets: ["AUDIT_ARCHIVE"],
      // Besides that of wrangler.toml: tenants can be moved, and live in `DB` unless a test moves them.
      d1Databases: ["DB_1", "DB_2"],
      // As wrangler.toml has it, but that the queue waits for no further message.
      queueConsumers: {
        "edge-idp-deliveries": {
          maxBatchSize: 100,
          maxBatchTimeout: 0.1,
          maxRetries: 3,
          retryDelay: 2,
        },
      },
      bindings: { ...secrets, TEST_MIGRATIONS: migrations },
    },
  });
}

/** Files below test/ that need a Worker of their own, or are so long that they should have one. */
const alone = [
  // What they count, or compare, is all that happens in the Worker.
  "attacks/{cost,forged-tokens,tenants}.test.ts",
  "audit/tree/witness.test.ts",
  "keys/many-records.test.ts",
  "location.test.ts",
  "performance/**",
  "sentinel/round-trips.test.ts",
  // They search all that is stored, and whatever others leave there.
  "attacks/{copied-stores,leaks,tampering}.test.ts",
  "audit/secrets.test.ts",
  "privacy/erasure.test.ts",
  // They cut off the n-th call of a kind, whoever makes it.
  "faults/{cut-*,other-database}.test.ts",
  "idempotency/faults.test.ts",
  "relocation/killed.test.ts",
  // They begin with a Worker that remembers nothing.
  "faults/{gone-client,redeploy}.test.ts",
  "sentinel/listed-addresses.test.ts",
  // Long.
  "faults/d1-batch.test.ts",
  "fuzz/**",
  "history/history-*.test.ts",
];

/** The files below test/ that match, without those of `alone`. */
function filesOf(...patterns: readonly string[]): string[] {
  return globSync(patterns, { cwd: "test", exclude: alone }).toSorted();
}

/** Files that run in one Worker, which loads the service once, by the file of test/areas/ that holds them. */
const areas: Record<string, string[]> = {
  api: filesOf("api/**/*.test.ts"),
  "attacks-1": filesOf("attacks/[a-i]*.test.ts"),
  "attacks-2": filesOf("attacks/[j-s]*.test.ts"),
  "attacks-3": filesOf("attacks/[t-z]*.test.ts"),
  "audit-1": filesOf("audit/*.test.ts"),
  "audit-2": filesOf("audit/*/**/*.test.ts"),
  basics: filesOf("{bench,crypto,db,history,log,otp,supply}/**/*.test.ts", "*.test.ts"),
  "faults-1": filesOf("faults/[a-k]*.test.ts"),
  "faults-2": filesOf("faults/[l-z]*.test.ts"),
  guard: filesOf("guard/**/*.test.ts"),
  http: filesOf("{http,journeys,tenancy}/**/*.test.ts"),
  idempotency: filesOf("idempotency/**/*.test.ts"),
  keys: filesOf("keys/**/*.test.ts"),
  privacy: filesOf("privacy/**/*.test.ts"),
  relocation: filesOf("relocation/**/*.test.ts"),
  restore: filesOf("restore/**/*.test.ts"),
  "sentinel-1": filesOf("sentinel/*.test.ts"),
  "sentinel-2": filesOf("sentinel/*/**/*.test.ts"),
};

const held = globSync("*.test.ts", { cwd: "test/areas" }).map((file) =>
  file.replace(".test.ts", ""),
);
if (held.toSorted().join() !== Object.keys(areas).toSorted().join()) {
  throw new Error("Each area needs a file in test/areas/, or its tests do not run");
}

/** Of `npm test` and `npm run test:full`. Whoever names files has each in a Worker of its own. */
const isWhole =
  process.env.TEST_SIZE !== undefined &&
  !process.argv.slice(2).some((argument) => /(^|\/)test\/(?!areas)/.test(argument));

export default defineConfig({
  plugins: [workers()],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: isWhole
      ? Object.values(areas).flatMap((files) => files.map((file) => `test/${file}`))
      : ["test/areas/**"],
    setupFiles: ["./test/support/setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // One more than there are cores: some files wait more than they compute.
    maxWorkers: 3,
    silent: "passed-only",
    // A line for each file, and none for each test that takes a while.
    slowTestThreshold: 60_000,
    provide: { histories, fuzz, isFull, areas },
  },
});
