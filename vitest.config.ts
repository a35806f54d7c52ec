import { accessSync, constants, globSync, statfsSync } from "node:fs";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-pool-workers";
import { defineConfig, type Plugin } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

// These secrets are for test runs only. They are fixed, so that a failure can be repeated.
const secrets = {
  OPERATOR_TOKEN: "operator-token-of-the-test-run-0123456789",
  SEALING_KEYS: `1:${btoa("sealing key one, thirty-two byte")}`,
  BACKUP_CODE_KEYS: `1:${btoa("backup codes key, 32 bytes long!")}`,
  AUDIT_SIGNING_KEYS: `1:${btoa("audit signing seed, 32 bytes (!)")}`,
  ADDRESS_HASH_KEY: btoa("address hashing key, 32 bytes :)"),
};

/** These are optional, so wrangler.toml does not require them. */
const stepUp = {
  TOKEN_SIGNING_KEYS: `1:${btoa("token signing seed, 32 bytes (1)")},2:${btoa("token signing seed, 32 bytes (2)")}`,
  PUBLIC_URL: "https://idp.test",
};

/** `npm run test:full` runs the long campaigns completely, `npm test` in part (test/support/campaign.ts). */
const isFull = process.env.TEST_SIZE === "full";

// The number of histories of concurrent calls in the four files of test/history/, and the seed, which repeats a
// run. `npm test` runs the first file.
const histories = {
  count: Number(process.env.HISTORIES ?? (isFull ? 200 : 32)),
  seed: Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 30)),
};

// The number of random requests in each of the five files of test/fuzz/. `FUZZ_SEED` selects the run. `npm test`
// runs the first file.
const fuzz = {
  requests: Number(process.env.FUZZ_REQUESTS ?? (isFull ? 3_700 : 800)),
  seed: Number(process.env.FUZZ_SEED ?? 0),
};

// wrangler looks for the secrets here, and warns if they are missing.
Object.assign(process.env, secrets);
// Wrangler prints errors only.
process.env.WRANGLER_LOG ??= "error";

/** The runtime keeps its databases in the folder for temporary files. */
const minFreeBytes = 2 * 2 ** 30;

/** Whether Linux offers a folder in memory that can hold the databases of a run. */
function hasRoomInMemory(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= minFreeBytes;
  } catch {
    return false;
  }
}

// Tests create thousands of databases and read none of them later, so they need not wait for a disk.
const memoryFolder = "/dev/shm";
if (hasRoomInMemory(memoryFolder)) process.env.TMPDIR = memoryFolder;

const migrations = await readD1Migrations("migrations");

function workers() {
  return cloudflareTest({
    wrangler: { configPath: "./wrangler.toml" },
    // Otherwise the runtime reports each guard that a test aborts.
    verbose: false,
    miniflare: {
      r2Buckets: ["AUDIT_ARCHIVE"],
      // These databases are in addition to wrangler.toml. Tenants are in `DB` unless a test relocates them.
      d1Databases: ["DB_1", "DB_2"],
      // As in the comments of wrangler.toml, but the queues do not wait for further messages, and one retry suffices.
      // Guards use them only in tests that provide them (test/support/queue.ts).
      queueProducers: { QUEUE_FOR_TESTS: "edge-idp-deliveries" },
      queueConsumers: {
        "edge-idp-deliveries": {
          maxBatchSize: 100,
          maxBatchTimeout: 0.1,
          maxRetries: 1,
          deadLetterQueue: "edge-idp-deliveries-dead",
        },
        "edge-idp-deliveries-dead": { maxBatchSize: 100, maxBatchTimeout: 0.1, maxRetries: 100 },
      },
      bindings: { ...secrets, ...stepUp, TEST_MIGRATIONS: migrations },
    },
  });
}

/** Files that interrupt the n-th call of a kind, from any caller, so that only such files may share their Worker. */
const interrupted = [
  "faults/cut-{administration,enrolment,erasure,login}.test.ts",
  "{faults/{d1-batch,other-database},idempotency/faults}.test.ts",
];

/** Files below test/ that need their own Worker, or take so long that they should have one. */
const alone = [
  // They count or compare all calls in the Worker.
  "attacks/{cost,forged-tokens,tenants}.test.ts",
  "audit/tree/witness.test.ts",
  "keys/many-records.test.ts",
  "location.test.ts",
  "performance/**",
  "sentinel/round-trips.test.ts",
  // They search all stored data, or do work for all tenants, including what other files leave.
  "api/service-health.test.ts",
  "attacks/{copied-stores,leaks,tampering}.test.ts",
  "audit/tree/many-logs.test.ts",
  "audit/secrets.test.ts",
  "audit/statistics/statistics.test.ts",
  "expiry/expire-personal.test.ts",
  "privacy/erasure.test.ts",
  // They interrupt the n-th call of a kind, from any caller.
  ...interrupted,
  "expiry/killed.test.ts",
  "faults/{cut-delivery,cut-tenant-deletion}.test.ts",
  "relocation/killed.test.ts",
  // They need a Worker with empty caches.
  "faults/{gone-client,redeploy}.test.ts",
  "sentinel/{listed-addresses,offline}.test.ts",
  // They take long.
  "fuzz/**",
  "history/history-*.test.ts",
];

/** The matching files below test/, except those in `alone`. */
function filesOf(...patterns: readonly string[]): string[] {
  return globSync(patterns, { cwd: "test", exclude: alone }).toSorted();
}

/** Files that share a Worker, which loads the service once, by their file in test/areas/. */
const areas: Record<string, string[]> = {
  api: filesOf("api/**/*.test.ts"),
  "attacks-1": filesOf("attacks/[a-i]*.test.ts"),
  "attacks-2": filesOf("attacks/[j-s]*.test.ts"),
  "attacks-3": filesOf("attacks/[t-z]*.test.ts"),
  "interrupted-1": globSync(interrupted.slice(0, 1), { cwd: "test" }).toSorted(),
  "interrupted-2": globSync(interrupted.slice(1), { cwd: "test" }).toSorted(),
  "audit-1": filesOf("audit/*.test.ts"),
  "audit-2": filesOf("audit/*/**/*.test.ts"),
  basics: filesOf(
    "{bench,console,crypto,db,history,log,otp,passkeys,reference,supply}/**/*.test.ts",
    "*.test.ts",
  ),
  cli: filesOf("cli/**/*.test.ts"),
  destinations: filesOf("destinations/**/*.test.ts"),
  "faults-1": filesOf("faults/[a-k]*.test.ts"),
  "faults-2": filesOf("faults/[l-z]*.test.ts"),
  guard: filesOf("guard/**/*.test.ts"),
  http: filesOf("{http,journeys,sdk,tenancy}/**/*.test.ts"),
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

/** True for `npm test` and `npm run test:full`. Files that are named run in a Worker each. */
const isWhole =
  process.env.TEST_SIZE !== undefined &&
  !process.argv.slice(2).some((argument) => /(^|\/)test\/(?!areas)/.test(argument));

/** Files that only `npm run test:full` runs, or a run that names them: further parts of long campaigns. */
const furtherParts = ["test/fuzz/fuzz-0[2-5].test.ts", "test/history/history-[2-4].test.ts"];

/** The files that take longest; they start first, so that no worker ends with one of them alone. */
const longest = [
  "faults/cut-delivery",
  "areas/guard",
  "areas/audit-1",
  "areas/api",
  "areas/sentinel-2",
];

/**
 * Sends no source maps of packages into the Workers. Each Worker would read megabytes of them when it starts, and only
 * traces of our own code must name the right lines.
 */
const withoutMapsOfPackages: Plugin = {
  name: "without-maps-of-packages",
  enforce: "post",
  transform(code, id) {
    return id.includes("/node_modules/") ? { code, map: { mappings: "" } } : undefined;
  },
};

/**
 * Packages that are bundled before a run. A Worker then starts with some files instead of hundreds, and a hash or a
 * schema calls its own package directly instead of through a getter for each imported name.
 */
const bundledPackages = [
  "@cfworker/json-schema",
  "@hono/zod-validator",
  "@noble/hashes/hmac.js",
  "@noble/hashes/sha2.js",
  "@noble/hashes/utils.js",
  "@scure/base",
  "drizzle-orm",
  "drizzle-orm/d1",
  "drizzle-orm/sqlite-core",
  "fast-check",
  "hono",
  "hono/body-limit",
  "hono/http-exception",
  "jose",
  "otpauth",
  "zod",
  "zod-openapi",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      longest.some((name) => moduleId.endsWith(`test/${name}.test.ts`));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  plugins: [workers(), withoutMapsOfPackages],
  test: {
    include: ["test/**/*.test.ts"],
    exclude: isWhole
      ? [
          ...Object.values(areas).flatMap((files) => files.map((file) => `test/${file}`)),
          ...(isFull ? [] : furtherParts),
        ]
      : ["test/areas/**"],
    setupFiles: ["./test/support/setup.ts"],
    deps: { optimizer: { ssr: { enabled: true, include: bundledPackages } } },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // More than there are cores, because many tests wait more than they compute.
    maxWorkers: 5,
    sequence: { sequencer: LongestFirst },
    silent: "passed-only",
    // Print a line for each file, and none for a slow test.
    slowTestThreshold: 60_000,
    provide: { histories, fuzz, isFull, areas },
  },
});
