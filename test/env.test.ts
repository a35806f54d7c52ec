import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { addressOf, findPublicUrl } from "../scripts/support/local-address.ts";
import { keyOf } from "../src/crypto/keyring.ts";
import { configOf } from "../src/env.ts";

const names = [
  "OPERATOR_TOKEN",
  "SEALING_KEYS",
  "BACKUP_CODE_KEYS",
  "AUDIT_SIGNING_KEYS",
  "ADDRESS_HASH_KEY",
] as const;
type Secret = (typeof names)[number];

function randomKey(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
}

/** Draws valid secrets at random. */
function drawValidSecrets() {
  return {
    OPERATOR_TOKEN: [...crypto.getRandomValues(new Uint8Array(32))]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join(""),
    SEALING_KEYS: `1:${randomKey()}`,
    BACKUP_CODE_KEYS: `1:${randomKey()}`,
    AUDIT_SIGNING_KEYS: `1:${randomKey()}`,
    ADDRESS_HASH_KEY: randomKey(),
  };
}

function envWith(changes: Partial<Record<Secret, string>>): Env {
  return { ...env, ...drawValidSecrets(), ...changes };
}

function problemsOf(broken: Env): readonly string[] {
  const result = configOf(broken);
  return result.ok ? [] : result.problems;
}

describe("a valid configuration", () => {
  test("is the one of this test run", () => {
    expect(configOf(env).ok).toBe(true);
  });

  test("gives keyrings, a key, and the digest of the operator's token", async () => {
    const [old, current, backup] = [randomKey(), randomKey(), randomKey()];
    const [signing, address] = [randomKey(), randomKey()];
    const token = drawValidSecrets().OPERATOR_TOKEN;
    const result = configOf(
      envWith({
        OPERATOR_TOKEN: token,
        SEALING_KEYS: `1:${old},2:${current}`,
        BACKUP_CODE_KEYS: `7:${backup}`,
        AUDIT_SIGNING_KEYS: `4:${signing}`,
        ADDRESS_HASH_KEY: address,
      }),
    );
    if (!result.ok) throw new Error(result.problems.join());
    const { operatorTokenDigest, sealingKeys, backupCodeKeys, auditSigningKeys, addressHashKey } =
      result.config;
    const text = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
    expect(operatorTokenDigest).toEqual(new Uint8Array(digest));
    expect(sealingKeys.newest).toBe(2);
    expect(text(keyOf(sealingKeys, 1))).toBe(old);
    expect(text(keyOf(sealingKeys, 2))).toBe(current);
    expect(backupCodeKeys.newest).toBe(7);
    expect(text(keyOf(backupCodeKeys, 7))).toBe(backup);
    expect(auditSigningKeys.newest).toBe(4);
    expect(text(keyOf(auditSigningKeys, 4))).toBe(signing);
    expect(text(addressHashKey)).toBe(address);
  });

  test("can have any secrets that are drawn at random", () => {
    for (let draw = 0; draw < 100; draw += 1) expect(problemsOf(envWith({}))).toEqual([]);
  });

  test("is parsed once for an environment, and separately for another", () => {
    const one = envWith({});
    expect(configOf(one)).toBe(configOf(one));
    expect(configOf({ ...one })).not.toBe(configOf(one));
  });
});

describe("the limit of a database", () => {
  test("is 10 GB unless it is set", () => {
    const maxBytesOf = (text: string | undefined) => {
      const limit: Record<string, unknown> = { MAX_DATABASE_MB: text };
      const result = configOf({ ...envWith({}), ...limit });
      return result.ok ? result.config.maxDatabaseBytes : result.problems;
    };
    expect(maxBytesOf(undefined)).toBe(10_000_000_000);
    expect(maxBytesOf("500")).toBe(500_000_000);
    for (const text of ["", "0", "-1", "1.5", "10 GB", "1e3", "99999999"]) {
      expect(maxBytesOf(text)).toEqual(["MAX_DATABASE_MB is not a whole number of megabytes"]);
    }
  });
});

describe("step-up tokens", () => {
  const configWith = (changes: Pick<Env, "TOKEN_SIGNING_KEYS" | "PUBLIC_URL">) =>
    configOf({ ...envWith({}), ...changes });

  test("need no setting", () => {
    for (const text of ["", undefined]) {
      const unset: Record<string, unknown> = { TOKEN_SIGNING_KEYS: text, PUBLIC_URL: text };
      const result = configOf({ ...envWith({}), ...unset });
      if (!result.ok) throw new Error(result.problems.join());
      expect(result.config.tokenSigningKeys).toBeUndefined();
      expect(result.config.publicUrl).toBeUndefined();
    }
  });

  test("have a keyring like the others", () => {
    const [one, key] = [randomKey(), envWith({}).SEALING_KEYS.slice(2)];
    const problemsWith = (text: string) => {
      const result = configWith({ TOKEN_SIGNING_KEYS: text });
      return result.ok ? [] : result.problems;
    };
    expect(problemsWith(`1:${one},2:${randomKey()}`)).toEqual([]);
    expect(problemsWith(one)).toEqual([
      "TOKEN_SIGNING_KEYS is not of the form version:base64[,version:base64]",
    ]);
    expect(problemsWith(`1:${one},2:${one}`)[0]).toContain("TOKEN_SIGNING_KEYS shares a key");
    const shared = { ...envWith({ SEALING_KEYS: `1:${key}` }), TOKEN_SIGNING_KEYS: `1:${key}` };
    expect(problemsOf(shared)[0]).toContain("TOKEN_SIGNING_KEYS shares a key with SEALING_KEYS");
  });

  test.each([
    ["https://idp.example.com", true],
    ["https://idp.example.com:8443", true],
    ["http://127.0.0.1:8787", true],
    ["http://localhost:8787", true],
    ["http://[::1]:8787", true],
    ["http://idp.example.com", false],
    ["https://idp.example.com/", false],
    ["https://idp.example.com/idp", false],
    ["https://IDP.example.com", false],
    ["https://user@idp.example.com", false],
    ["https://idp.example.com:443", false],
    ["idp.example.com", false],
    ["ftp://localhost", false],
  ])("have an issuer that is an origin: %s is %j", (url, isValid) => {
    expect(configWith({ PUBLIC_URL: url }).ok).toBe(isValid);
  });

  test.each([
    ["127.0.0.1", true],
    ["localhost", true],
    ["0.0.0.0", true],
    ["::", true],
    ["::1", true],
    ["192.168.1.5", false],
    ["fd00::5", false],
    ["build.local", false],
  ])("stop no local service: with --ip %s it can issue them: %j", (ip, canIssue) => {
    const url = findPublicUrl(addressOf(ip, 8787));
    expect(url !== undefined).toBe(canIssue);
    expect(configWith({ PUBLIC_URL: url ?? "" }).ok).toBe(true);
  });
});

describe("a secret that is", () => {
  test.each(names)("missing is named: %s", (name) => {
    const broken = envWith({});
    Reflect.deleteProperty(broken, name);
    expect(problemsOf(broken)).toEqual([`${name} is missing`]);
  });

  test.each(names)("empty is named as missing: %s", (name) => {
    expect(problemsOf(envWith({ [name]: "" }))).toEqual([`${name} is missing`]);
  });

  test.each([
    ["OPERATOR_TOKEN", "0123456789abcdef0123456789abcde", "is shorter than 32 characters"],
    ["SEALING_KEYS", `1:${btoa("sixteen bytes...")}`, "version 1 holds 16 bytes, not 32"],
    ["BACKUP_CODE_KEYS", `3:${btoa("sixteen bytes...")}`, "version 3 holds 16 bytes, not 32"],
    ["ADDRESS_HASH_KEY", btoa("sixteen bytes..."), "holds 16 bytes, not 32"],
  ])("short is named: %s", (name, value, message) => {
    expect(problemsOf(envWith({ [name]: value }))).toEqual([`${name} ${message}`]);
  });

  const zeros = btoa("\0".repeat(32));
  test.each([
    ["OPERATOR_TOKEN", "change-me-change-me-change-me-0123456789"],
    ["OPERATOR_TOKEN", "CHANGEME-0123456789-abcdefghijklmnop"],
    ["OPERATOR_TOKEN", "placeholder-0123456789-abcdefghijklm"],
    ["OPERATOR_TOKEN", "<a random token of 32 characters or more>"],
    ["OPERATOR_TOKEN", "your-token-0123456789-abcdefghijklmn"],
    ["OPERATOR_TOKEN", "example-token-0123456789-abcdefghijk"],
    ["OPERATOR_TOKEN", "a".repeat(64)],
    ["OPERATOR_TOKEN", "abcdefabcdefabcdefabcdefabcdefabcdef"],
  ])("a placeholder is named: %s with the value %j", (name, value) => {
    expect(problemsOf(envWith({ [name]: value }))).toEqual([
      `${name} is a placeholder, not random`,
    ]);
  });

  test.each([
    ["SEALING_KEYS", `1:${zeros}`, "version 1 is a placeholder, not random"],
    ["BACKUP_CODE_KEYS", `1:${zeros}`, "version 1 is a placeholder, not random"],
    ["ADDRESS_HASH_KEY", zeros, "is a placeholder, not random"],
    ["SEALING_KEYS", "1:<your key>", "is not of the form version:base64[,version:base64]"],
    ["SEALING_KEYS", "changeme", "is not of the form version:base64[,version:base64]"],
    ["SEALING_KEYS", "1:not-base64", "version 1 is not base64"],
    ["BACKUP_CODE_KEYS", "1:not-base64", "version 1 is not base64"],
    ["ADDRESS_HASH_KEY", "not-base64", "is not base64"],
  ])("not a key is named: %s with the value %j", (name, value, message) => {
    expect(problemsOf(envWith({ [name]: value }))).toEqual([`${name} ${message}`]);
  });

  test("invalid is named together with every other invalid one", () => {
    const broken = envWith({ OPERATOR_TOKEN: "short", ADDRESS_HASH_KEY: "not-base64" });
    Reflect.deleteProperty(broken, "SEALING_KEYS");
    expect(problemsOf(broken).toSorted()).toEqual([
      "ADDRESS_HASH_KEY is not base64",
      "OPERATOR_TOKEN is shorter than 32 characters",
      "SEALING_KEYS is missing",
    ]);
  });
});

describe("a key that is used twice", () => {
  const key = randomKey();

  test.each([
    ["two versions of SEALING_KEYS", { SEALING_KEYS: `1:${key},2:${key}` }, /SEALING_KEYS/],
    [
      "two versions of BACKUP_CODE_KEYS",
      { BACKUP_CODE_KEYS: `1:${key},2:${key}` },
      /BACKUP_CODE_KEYS/,
    ],
    [
      "SEALING_KEYS and BACKUP_CODE_KEYS",
      { SEALING_KEYS: `1:${key}`, BACKUP_CODE_KEYS: `4:${key}` },
      /SEALING_KEYS|BACKUP_CODE_KEYS/,
    ],
    [
      "SEALING_KEYS and AUDIT_SIGNING_KEYS",
      { SEALING_KEYS: `1:${key}`, AUDIT_SIGNING_KEYS: `2:${key}` },
      /SEALING_KEYS|AUDIT_SIGNING_KEYS/,
    ],
    [
      "SEALING_KEYS and ADDRESS_HASH_KEY",
      { SEALING_KEYS: `1:${key}`, ADDRESS_HASH_KEY: key },
      /SEALING_KEYS|ADDRESS_HASH_KEY/,
    ],
    [
      "BACKUP_CODE_KEYS and ADDRESS_HASH_KEY",
      { BACKUP_CODE_KEYS: `1:${key}`, ADDRESS_HASH_KEY: key },
      /BACKUP_CODE_KEYS|ADDRESS_HASH_KEY/,
    ],
  ])("is refused under the name of a secret that contains it: %s", (_, changes, holder) => {
    const problems = problemsOf(envWith(changes));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("shares a key");
    expect(problems[0]?.split(" ")[0]).toMatch(holder);
  });
});

test("a problem never repeats the value", () => {
  const key = randomKey();
  const wrong: readonly (readonly [Secret, string])[] = [
    ["OPERATOR_TOKEN", "hunter2"],
    ["OPERATOR_TOKEN", "change-me-hunter2-hunter2-hunter2-hunter2"],
    ["SEALING_KEYS", "hunter2"],
    ["SEALING_KEYS", `1:${key},1:${key}`],
    ["SEALING_KEYS", `1:${key},2:${key}`],
    ["SEALING_KEYS", `1:${key.slice(4)}`],
    ["BACKUP_CODE_KEYS", `1:${btoa("hunter2")}`],
    ["ADDRESS_HASH_KEY", "hunter2hunter2"],
    ["ADDRESS_HASH_KEY", `${key}${key}`],
  ];
  for (const [name, value] of wrong) {
    const problems = problemsOf(envWith({ [name]: value }));
    expect(problems).toHaveLength(1);
    for (const secret of ["hunter2", btoa("hunter2"), key.slice(4)]) {
      expect(problems.join()).not.toContain(secret);
    }
  }
});
