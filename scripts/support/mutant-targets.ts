/**
 * The files that are mutated, and the tests that should notice. Tests that do not import the platform run in
 * Node in a fraction of a second. Only mutants that survive those run in workerd, which takes about ten
 * seconds to start.
 */
export interface Target {
  readonly file: string;
  readonly inNode: readonly string[];
  readonly inWorkerd: readonly string[];
}

const passkeys = [
  "test/passkeys/vectors.test.ts",
  "test/passkeys/ceremonies.test.ts",
  "test/passkeys/registration.test.ts",
  "test/passkeys/authentication.test.ts",
  "test/passkeys/edited-answers.test.ts",
];

const pureGuard = [
  "test/guard/decisions/verify.test.ts",
  "test/guard/decisions/lockout.test.ts",
  "test/guard/decisions/credentials.test.ts",
  "test/guard/decisions/lifecycle.test.ts",
  "test/guard/decisions/refusals.test.ts",
  "test/guard/decisions/state.test.ts",
  "test/guard/decisions/model.test.ts",
];

function createTarget(
  file: string,
  inNode: readonly string[],
  inWorkerd: readonly string[] = [],
): Target {
  return { file, inNode, inWorkerd };
}

export const targets: readonly Target[] = [
  createTarget("src/crypto/constant-time.ts", ["test/crypto/constant-time.test.ts"]),
  createTarget("src/crypto/digest.ts", ["test/crypto/digest.test.ts"]),
  createTarget("src/crypto/id.ts", ["test/crypto/id.test.ts"]),
  createTarget("src/crypto/keyring.ts", ["test/crypto/keyring.test.ts"]),
  createTarget("src/crypto/sealed-box.ts", ["test/crypto/sealed-box.test.ts"]),
  createTarget("src/otp/hotp.ts", ["test/otp/hotp.test.ts", "test/otp/totp.test.ts"]),
  createTarget("src/otp/totp.ts", ["test/otp/totp.test.ts", "test/otp/secret.test.ts"]),
  createTarget("src/otp/backup-codes.ts", ["test/otp/backup-codes.test.ts"]),
  createTarget("src/crypto/cbor.ts", ["test/crypto/cbor.test.ts"]),
  createTarget("src/passkeys/authenticator-data.ts", passkeys),
  createTarget("src/passkeys/challenge.ts", ["test/passkeys/challenge.test.ts"]),
  createTarget("src/passkeys/client-data.ts", passkeys),
  createTarget("src/passkeys/cose-key.ts", ["test/passkeys/keys.test.ts"]),
  createTarget("src/passkeys/counter.ts", passkeys),
  createTarget("src/passkeys/ecdsa-signature.ts", ["test/passkeys/keys.test.ts"]),
  createTarget("src/passkeys/ed25519-point.ts", ["test/passkeys/keys.test.ts"]),
  createTarget("src/passkeys/key-material.ts", ["test/passkeys/keys.test.ts"]),
  createTarget("src/passkeys/parse.ts", passkeys),
  createTarget("src/passkeys/steps.ts", passkeys),
  createTarget("src/passkeys/user-handle.ts", ["test/passkeys/user-handle.test.ts"]),
  createTarget("src/passkeys/verify-authentication.ts", passkeys),
  createTarget("src/passkeys/verify-registration.ts", passkeys),
  createTarget("src/tenancy/api-token.ts", ["test/tenancy/api-token.test.ts"]),
  createTarget("src/tenancy/permission.ts", ["test/tenancy/permission.test.ts"]),
  createTarget("src/guard/decisions/lockout.ts", pureGuard),
  createTarget("src/guard/decisions/credentials.ts", pureGuard),
  createTarget("src/guard/decisions/lifecycle.ts", pureGuard),
  createTarget("src/guard/decisions/verify.ts", pureGuard, ["test/journeys/login.test.ts"]),
  createTarget("src/guard/decisions/refusals.ts", pureGuard, [
    "test/guard/refusal-log/refusal-log.test.ts",
    "test/guard/completeness.test.ts",
  ]),
  createTarget("src/guard/decisions/state.ts", pureGuard, ["test/faults/d1.test.ts"]),
  createTarget(
    "src/http/access.ts",
    [],
    [
      "test/app.test.ts",
      "test/tenancy/last-use.test.ts",
      "test/api/tokens.test.ts",
      "test/audit/refused-time.test.ts",
      "test/http/every-route.test.ts",
      "test/audit/completeness.test.ts",
    ],
  ),
  createTarget(
    "src/tenancy/change-tokens.ts",
    [],
    [
      "test/api/tokens.test.ts",
      "test/tenancy/resolve-token.test.ts",
      "test/audit/completeness.test.ts",
    ],
  ),
  createTarget(
    "src/tenancy/resolve-token.ts",
    [],
    ["test/tenancy/resolve-token.test.ts", "test/api/tokens.test.ts"],
  ),
  createTarget(
    "src/tenancy/token-cache.ts",
    ["test/tenancy/token-cache.test.ts"],
    ["test/tenancy/resolve-token.test.ts"],
  ),
  createTarget(
    "src/tenancy/token-condition-store.ts",
    [],
    ["test/attacks/revoked-meanwhile.test.ts", "test/api/tokens.test.ts"],
  ),
  createTarget("src/tenancy/revoke-token.ts", [], ["test/faults/cannot-revoke-in-d1.test.ts"]),
  createTarget("src/http/operator-attempts.ts", [], ["test/http/operator-attempts.test.ts"]),
  createTarget(
    "src/guard/client.ts",
    [],
    [
      "test/app.test.ts",
      "test/journeys/login.test.ts",
      "test/api/users.test.ts",
      "test/faults/d1.test.ts",
    ],
  ),
  createTarget(
    "src/guard/storage.ts",
    [],
    [
      "test/guard/storage.test.ts",
      "test/guard/completeness.test.ts",
      "test/faults/d1.test.ts",
      "test/guard/refusal-log/refusal-log.test.ts",
      "test/idempotency/verify.test.ts",
      "test/guard/delivery/queue.test.ts",
      "test/sentinel/memory.test.ts",
      "test/privacy/erasure.test.ts",
    ],
  ),
  createTarget(
    "src/guard/stored-outbox.ts",
    [],
    ["test/guard/storage.test.ts", "test/faults/alarm.test.ts", "test/restore/older-rows.test.ts"],
  ),
  createTarget(
    "src/db/prepared.ts",
    [],
    ["test/guard/delivery/queue.test.ts", "test/keys/many-records.test.ts"],
  ),
  createTarget(
    "src/guard/outbox.ts",
    [],
    [
      "test/guard/storage.test.ts",
      "test/guard/completeness.test.ts",
      "test/guard/delivery/queue.test.ts",
      "test/faults/queue.test.ts",
      "test/faults/d1.test.ts",
      "test/faults/cut-delivery.test.ts",
    ],
  ),
  createTarget(
    "src/guard/rehydration.ts",
    [],
    [
      "test/restore/older-guard.test.ts",
      "test/faults/d1.test.ts",
      "test/privacy/erasure.test.ts",
      "test/guard/races.test.ts",
    ],
  ),
  createTarget(
    "src/guard/delivery/outbox-entry.ts",
    [],
    [
      "test/guard/completeness.test.ts",
      "test/sentinel/memory.test.ts",
      "test/guard/delivery/queue.test.ts",
    ],
  ),
  createTarget(
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
      "test/guard/delivery/queue.test.ts",
    ],
  ),
  createTarget("src/guard/decisions/rate-limit.ts", ["test/guard/decisions/rate-limit.test.ts"]),
  createTarget("src/guard/decisions/transition.ts", [
    "test/guard/decisions/transition.test.ts",
    ...pureGuard,
  ]),
  createTarget(
    "src/guard/decisions/feedback.ts",
    ["test/guard/decisions/feedback.test.ts"],
    ["test/sentinel/learning.test.ts"],
  ),
  createTarget(
    "src/guard/identity-guard.ts",
    [],
    [
      "test/guard/gathering.test.ts",
      "test/guard/completeness.test.ts",
      "test/idempotency/verify.test.ts",
      "test/guard/races.test.ts",
      "test/journeys/login.test.ts",
      "test/api/users.test.ts",
      "test/faults/d1.test.ts",
      "test/sentinel/learning.test.ts",
      "test/sentinel/memory.test.ts",
      "test/faults/cut-erasure.test.ts",
      "test/keys/re-encryption.test.ts",
      "test/guard/delivery/queue.test.ts",
      "test/performance/counted.test.ts",
      "test/privacy/logs.test.ts",
    ],
  ),
  createTarget(
    "src/guard/replay.ts",
    [],
    [
      "test/idempotency/verify.test.ts",
      "test/idempotency/every-post.test.ts",
      "test/idempotency/secrets.test.ts",
    ],
  ),
  createTarget(
    "src/guard/kept-answers.ts",
    [],
    ["test/guard/storage.test.ts", "test/idempotency/verify.test.ts"],
  ),
  createTarget("src/tenancy/describe-change.ts", [], ["test/tenancy/concurrent-settings.test.ts"]),
  createTarget(
    "src/idempotency/receipt.ts",
    [],
    [
      "test/idempotency/verify.test.ts",
      "test/idempotency/every-post.test.ts",
      "test/idempotency/secrets.test.ts",
    ],
  ),
  createTarget(
    "src/idempotency/run-once.ts",
    [],
    ["test/idempotency/every-post.test.ts", "test/idempotency/secrets.test.ts"],
  ),
  createTarget("src/guard/reseal.ts", [], ["test/keys/re-encryption.test.ts"]),
  createTarget(
    "src/guard/totp-keys.ts",
    [],
    [
      "test/guard/totp-keys.test.ts",
      "test/journeys/login.test.ts",
      "test/attacks/sealed-rows.test.ts",
    ],
  ),
  ...["build-delivery.ts", "delivery.ts"].map((file) =>
    createTarget(
      `src/guard/delivery/${file}`,
      [],
      [
        "test/guard/completeness.test.ts",
        "test/guard/delivery/queue.test.ts",
        "test/faults/d1.test.ts",
      ],
    ),
  ),
  createTarget(
    "src/retry-alarm.ts",
    [],
    [
      "test/faults/alarm.test.ts",
      "test/guard/delivery/gate.test.ts",
      "test/faults/cannot-revoke-in-d1.test.ts",
      "test/faults/d1.test.ts",
    ],
  ),
  createTarget(
    "src/guard/delivery/delivery-alarm.ts",
    [],
    ["test/guard/delivery/gate.test.ts", "test/faults/alarm.test.ts", "test/faults/d1.test.ts"],
  ),
  createTarget(
    "src/guard/delivery/producer.ts",
    [],
    ["test/guard/delivery/queue.test.ts", "test/faults/queue.test.ts"],
  ),
  createTarget("src/guard/delivery/consumer.ts", [], ["test/guard/delivery/queue.test.ts"]),
  createTarget(
    "src/tenancy/token-register.ts",
    [],
    ["test/restore/older-d1.test.ts", "test/faults/cannot-revoke-in-d1.test.ts"],
  ),
  createTarget(
    "src/keys/key-check.ts",
    [],
    ["test/keys/re-encryption.test.ts", "test/attacks/configuration.test.ts"],
  ),
];
