/**
 * Which files are mutated, and the tests that should notice. Tests that import nothing of the platform
 * run in Node, in a fraction of a second; only mutants that live through those are shown to the tests
 * that run in workerd, which take some ten seconds to start.
 */
export interface Target {
  readonly file: string;
  readonly inNode: readonly string[];
  readonly inWorkerd: readonly string[];
}

const pureGuard = [
  "test/guard/verify.test.ts",
  "test/guard/lockout.test.ts",
  "test/guard/credentials.test.ts",
  "test/guard/lifecycle.test.ts",
  "test/guard/refusals.test.ts",
  "test/guard/state.test.ts",
  "test/guard/model.test.ts",
];

function target(
  file: string,
  inNode: readonly string[],
  inWorkerd: readonly string[] = [],
): Target {
  return { file, inNode, inWorkerd };
}

export const targets: readonly Target[] = [
  target("src/crypto/constant-time.ts", ["test/crypto/constant-time.test.ts"]),
  target("src/crypto/digest.ts", ["test/crypto/digest.test.ts"]),
  target("src/crypto/id.ts", ["test/crypto/id.test.ts"]),
  target("src/crypto/keyring.ts", ["test/crypto/keyring.test.ts"]),
  target("src/crypto/sealed-box.ts", ["test/crypto/sealed-box.test.ts"]),
  target("src/otp/hotp.ts", ["test/otp/hotp.test.ts", "test/otp/totp.test.ts"]),
  target("src/otp/totp.ts", ["test/otp/totp.test.ts", "test/otp/secret.test.ts"]),
  target("src/otp/backup-codes.ts", ["test/otp/backup-codes.test.ts"]),
  target("src/tenancy/api-token.ts", ["test/tenancy/api-token.test.ts"]),
  target("src/tenancy/permission.ts", ["test/tenancy/permission.test.ts"]),
  target("src/guard/lockout.ts", pureGuard),
  target("src/guard/credentials.ts", pureGuard),
  target("src/guard/lifecycle.ts", pureGuard),
  target("src/guard/verify.ts", pureGuard, ["test/journeys/login.test.ts"]),
  target("src/guard/refusals.ts", pureGuard, [
    "test/guard/refusal-log.test.ts",
    "test/guard/completeness.test.ts",
  ]),
  target("src/guard/state.ts", pureGuard, ["test/faults/d1.test.ts"]),
  target(
    "src/http/access.ts",
    [],
    [
      "test/app.test.ts",
      "test/tenancy/last-use.test.ts",
      "test/tenancy/tokens.test.ts",
      "test/audit/refused-time.test.ts",
      "test/http/every-route.test.ts",
      "test/audit/completeness.test.ts",
    ],
  ),
  target(
    "src/tenancy/tokens.ts",
    [],
    [
      "test/tenancy/tokens.test.ts",
      "test/tenancy/resolve-token.test.ts",
      "test/audit/completeness.test.ts",
    ],
  ),
  target(
    "src/tenancy/resolve-token.ts",
    [],
    ["test/tenancy/resolve-token.test.ts", "test/tenancy/tokens.test.ts"],
  ),
  target(
    "src/guard/client.ts",
    [],
    [
      "test/app.test.ts",
      "test/journeys/login.test.ts",
      "test/identity/life.test.ts",
      "test/faults/d1.test.ts",
    ],
  ),
  target(
    "src/guard/storage.ts",
    [],
    [
      "test/guard/storage.test.ts",
      "test/guard/completeness.test.ts",
      "test/faults/d1.test.ts",
      "test/guard/refusal-log.test.ts",
      "test/idempotency/verify.test.ts",
      "test/guard/delivery-queue.test.ts",
      "test/sentinel/memory.test.ts",
      "test/privacy/erasure.test.ts",
    ],
  ),
  target(
    "src/guard/ledger.ts",
    [],
    [
      "test/guard/completeness.test.ts",
      "test/restore/older-guard.test.ts",
      "test/guard/races.test.ts",
      "test/idempotency/verify.test.ts",
      "test/sentinel/memory.test.ts",
      "test/faults/alarm.test.ts",
      "test/faults/d1.test.ts",
      "test/keys/late-deliveries.test.ts",
      "test/privacy/late-deliveries.test.ts",
      "test/faults/queue.test.ts",
      "test/guard/delivery-queue.test.ts",
    ],
  ),
  target("src/guard/rates.ts", ["test/guard/rates.test.ts"]),
  target("src/guard/transition.ts", ["test/guard/transition.test.ts", ...pureGuard]),
  target("src/guard/judge.ts", ["test/guard/judge.test.ts"], ["test/sentinel/learning.test.ts"]),
  target(
    "src/guard/identity-guard.ts",
    [],
    [
      "test/guard/gathering.test.ts",
      "test/guard/completeness.test.ts",
      "test/idempotency/verify.test.ts",
      "test/guard/races.test.ts",
      "test/journeys/login.test.ts",
      "test/identity/life.test.ts",
      "test/faults/d1.test.ts",
      "test/sentinel/learning.test.ts",
      "test/sentinel/memory.test.ts",
      "test/faults/cut-erasure.test.ts",
      "test/keys/re-encryption.test.ts",
      "test/guard/delivery-queue.test.ts",
      "test/performance/counted.test.ts",
      "test/privacy/logs.test.ts",
    ],
  ),
  target(
    "src/guard/repeats.ts",
    [],
    [
      "test/idempotency/verify.test.ts",
      "test/idempotency/every-post.test.ts",
      "test/idempotency/secrets.test.ts",
    ],
  ),
  target(
    "src/idempotency/receipt.ts",
    [],
    [
      "test/idempotency/verify.test.ts",
      "test/idempotency/every-post.test.ts",
      "test/idempotency/secrets.test.ts",
    ],
  ),
  target(
    "src/idempotency/once.ts",
    [],
    ["test/idempotency/every-post.test.ts", "test/idempotency/secrets.test.ts"],
  ),
  target("src/guard/reseal.ts", [], ["test/keys/re-encryption.test.ts"]),
  target(
    "src/guard/totp-keys.ts",
    [],
    [
      "test/guard/totp-keys.test.ts",
      "test/journeys/login.test.ts",
      "test/attacks/sealed-rows.test.ts",
    ],
  ),
  target(
    "src/guard/outbox.ts",
    [],
    [
      "test/guard/completeness.test.ts",
      "test/guard/delivery-queue.test.ts",
      "test/faults/d1.test.ts",
    ],
  ),
  target(
    "src/guard/delivery-alarm.ts",
    [],
    ["test/faults/alarm.test.ts", "test/faults/d1.test.ts"],
  ),
  target(
    "src/guard/courier.ts",
    [],
    ["test/faults/queue.test.ts", "test/guard/delivery-queue.test.ts"],
  ),
  target("src/guard/delivery-queue.ts", [], ["test/guard/delivery-queue.test.ts"]),
  target(
    "src/tenancy/token-register.ts",
    [],
    ["test/restore/older-d1.test.ts", "test/attacks/tokens.test.ts"],
  ),
  target(
    "src/keys/fit.ts",
    [],
    ["test/keys/re-encryption.test.ts", "test/attacks/configuration.test.ts"],
  ),
];
