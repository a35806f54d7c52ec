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
  target("src/guard/storage.ts", [], ["test/faults/d1.test.ts", "test/guard/refusal-log.test.ts"]),
  target(
    "src/guard/ledger.ts",
    [],
    ["test/faults/d1.test.ts", "test/guard/completeness.test.ts", "test/guard/races.test.ts"],
  ),
];
