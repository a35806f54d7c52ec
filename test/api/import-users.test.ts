/** `POST /v1/idp/users/import`: users of another system with their secrets. */
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import {
  authenticatorsOf,
  createSecret,
  eventsOf,
  importRows,
  otpauthCode,
  outcomesOf,
  profileOf,
  sendImport,
  verifyFor,
} from "../support/imports.ts";

const now = Date.parse("2026-06-30T12:00:00Z");

async function createTenant(): Promise<Tenant> {
  const tenant = await Tenant.create();
  tenant.clock = new Date(now).toISOString();
  return tenant;
}

/** Runs the requests of a tenant at a time, Unix ms. */
function setClock(tenant: Tenant, at: number): void {
  tenant.clock = new Date(at).toISOString();
}

async function statusOfCode(tenant: Tenant, externalId: string, code: string) {
  const { status, body } = await verifyFor(tenant, externalId, code);
  return status === 200 ? body.method : body.code;
}

describe("An imported user", () => {
  it("logs in at once with the codes that the app shows already", async () => {
    const tenant = await createTenant();
    const secret = createSecret();
    const results = await importRows(tenant, [
      { external_id: "alexander", authenticators: [{ secret, name: "Phone" }] },
    ]);
    expect(results).toEqual([{ external_id: "alexander", outcome: "created" }]);
    expect(await statusOfCode(tenant, "alexander", otpauthCode(secret, now))).toBe("totp");
    expect(await authenticatorsOf(tenant, "alexander")).toMatchObject([
      { name: "Phone", is_primary: true, status: "active", algorithm: "SHA1", digits: 6 },
    ]);
  });

  it("has a pending secret nowhere, although the tenant has enrolments confirmed", async () => {
    const tenant = await createTenant();
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    await importRows(tenant, [
      {
        external_id: "a",
        authenticators: [{ secret: createSecret() }, { secret: createSecret() }],
      },
    ]);
    expect(await profileOf(tenant, "a")).toMatchObject({
      otp_status: "active",
      otp_pending: false,
    });
  });

  it("may have no secret, or be suspended", async () => {
    const tenant = await createTenant();
    const secret = createSecret();
    const rows = [
      { external_id: "bare" },
      { external_id: "stopped", status: "suspended", authenticators: [{ secret }] },
    ];
    expect(await outcomesOf(tenant, rows)).toEqual(["created", "created"]);
    expect(await profileOf(tenant, "bare")).toMatchObject({ status: "active", otp_status: "none" });
    expect(await statusOfCode(tenant, "stopped", otpauthCode(secret, now))).toBe("user_suspended");
    await tenant.send("PATCH", "/v1/idp/user?externalUserId=stopped", {
      user: { status: "active" },
    });
    expect(await statusOfCode(tenant, "stopped", otpauthCode(secret, now))).toBe("totp");
  });

  it("has one event, which says what came along and not which secret", async () => {
    const tenant = await createTenant();
    await importRows(tenant, [
      {
        external_id: "a",
        authenticators: [{ secret: createSecret() }, { secret: createSecret(), digits: 8 }],
        backup_codes: ["7KQ2-XM4P-0RTZ", "ABCD-1234"],
      },
    ]);
    expect(await eventsOf(tenant, "a")).toMatchObject([
      {
        action: "otp.imported",
        outcome: "success",
        details: { result: "created", authenticators: 2, backup_codes: 2 },
      },
    ]);
  });

  it("replaces the imported secret by a new enrolment, as any primary one", async () => {
    const tenant = await createTenant();
    const secret = createSecret();
    await importRows(tenant, [{ external_id: "a", authenticators: [{ secret }] }]);
    await tenant.send("POST", "/v1/idp/user/otp?externalUserId=a", {
      otp: { issuer_name: "Acme", account_name: "a" },
    });
    expect(await statusOfCode(tenant, "a", otpauthCode(secret, now))).toBe("invalid_code");
    expect(await authenticatorsOf(tenant, "a")).toHaveLength(1);
  });
});

describe("RFC 6238, appendix B", () => {
  const text = "12345678901234567890".repeat(4);
  // Those of the vectors that a test clock can show: from 2000 to 2199.
  const times = [1_111_111_109, 1_111_111_111, 1_234_567_890, 2_000_000_000];
  const vectors = [
    {
      algorithm: "SHA1",
      bytes: 20,
      codes: ["07081804", "14050471", "89005924", "69279037"],
    },
    {
      algorithm: "SHA256",
      bytes: 32,
      codes: ["68084774", "67062674", "91819424", "90698825"],
    },
    {
      algorithm: "SHA512",
      bytes: 64,
      codes: ["25091201", "99943326", "93441116", "38618901"],
    },
  ];
  const hexOf = (bytes: number) =>
    [...text.slice(0, bytes)].map((letter) => letter.charCodeAt(0).toString(16)).join("");

  it.each(vectors)(
    "The codes of $algorithm are accepted, at 8 and at 6 digits",
    async ({ algorithm, bytes, codes }) => {
      const tenant = await createTenant();
      const authenticator = { secret: hexOf(bytes), encoding: "hex", algorithm };
      await importRows(tenant, [
        { external_id: "eight", authenticators: [{ ...authenticator, digits: 8 }] },
        { external_id: "six", authenticators: [authenticator] },
      ]);
      for (const [index, seconds] of times.entries()) {
        setClock(tenant, seconds * 1000);
        const code = codes[index] ?? "";
        expect(await statusOfCode(tenant, "eight", code)).toBe("totp");
        expect(await statusOfCode(tenant, "six", code.slice(2))).toBe("totp");
      }
    },
  );

  const combinations = ["SHA1", "SHA256", "SHA512"].flatMap((algorithm) =>
    [6, 7, 8].flatMap((digits) =>
      [15, 30, 60, 300].map((period) => ({ algorithm, digits, period })),
    ),
  );

  it("Codes of the package otpauth are accepted with every algorithm, length and period", async () => {
    const tenant = await createTenant();
    const users = combinations.map((parameters, index) => ({
      external_id: `user-${index}`,
      authenticators: [{ secret: createSecret(10 + index), ...parameters }],
    }));
    expect(await outcomesOf(tenant, users)).toEqual(users.map(() => "created"));
    for (const { external_id, authenticators } of users) {
      for (const { secret, ...parameters } of authenticators) {
        const code = otpauthCode(secret, now, parameters);
        expect(await statusOfCode(tenant, external_id, code), JSON.stringify(parameters)).toBe(
          "totp",
        );
      }
    }
  });
});

describe("An existing user", () => {
  it("is skipped, unless secrets are to be added", async () => {
    const tenant = await createTenant();
    const user = await User.withTotp(tenant, "a");
    const secret = createSecret();
    const row = { external_id: "a", authenticators: [{ secret }] };
    expect(await outcomesOf(tenant, [row])).toEqual(["skipped user_exists"]);
    expect(await outcomesOf(tenant, [row], { on_existing: "skip" })).toEqual([
      "skipped user_exists",
    ]);
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual(["added"]);
    expect(await statusOfCode(tenant, "a", otpauthCode(secret, now))).toBe("totp");
    expect(await statusOfCode(tenant, "a", user.code(now))).toBe("totp");
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual([
      "skipped already_imported",
    ]);
  });

  it("keeps the status, and the secret that the service created, if it is sent again", async () => {
    const tenant = await createTenant();
    const user = await User.withTotp(tenant, "a");
    const row = {
      external_id: "a",
      status: "suspended",
      authenticators: [{ secret: user.secret }],
    };
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual([
      "skipped already_imported",
    ]);
    expect((await user.profile()).status).toBe("active");
    expect(await user.authenticators()).toHaveLength(1);
  });

  it("gets a secret that waits for its first code, and can use it after the wait", async () => {
    const tenant = await createTenant();
    await tenant.setSettings({ otp: { enrolment: "confirm" } });
    const { secret } = await User.withTotp(tenant, "a");
    const row = { external_id: "a", authenticators: [{ secret }] };
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual(["added"]);
    const code = otpauthCode(secret, now);
    expect(await statusOfCode(tenant, "a", code)).toBe("totp");
    const confirm = { otp: { id: "a", code, purpose: "confirm" } };
    const confirmed = await tenant.send("POST", "/v1/idp/otp/verify", confirm);
    expect(confirmed.body.code).toBe("invalid_code");
    setClock(tenant, now + 3_600_000);
    expect(await statusOfCode(tenant, "a", otpauthCode(secret, now + 3_600_000))).toBe("totp");
    expect(await profileOf(tenant, "a")).toMatchObject({ otp_status: "active" });
  });

  it("has five authenticators at most, and a row that has more changes nothing", async () => {
    const tenant = await createTenant();
    const secrets = Array.from({ length: 6 }, () => ({ secret: createSecret() }));
    const add = { on_existing: "add" };
    expect(await outcomesOf(tenant, [{ external_id: "a", authenticators: secrets }])).toEqual([
      "failed too_many",
    ]);
    expect((await profileOf(tenant, "a")).code).toBe("user_not_found");
    const four = { external_id: "a", authenticators: secrets.slice(0, 4) };
    const two = { external_id: "a", authenticators: secrets.slice(4) };
    expect(
      await outcomesOf(tenant, [four, two, { ...two, authenticators: secrets.slice(3, 5) }], add),
    ).toEqual(["created", "failed too_many", "added"]);
    expect(await authenticatorsOf(tenant, "a")).toHaveLength(5);
  });

  it("that stands twice in a call is created once", async () => {
    const tenant = await createTenant();
    const row = (name: string) => ({
      external_id: name,
      authenticators: [{ secret: createSecret() }],
    });
    const rows = [row("a"), row("b"), row("a")];
    expect(await outcomesOf(tenant, rows)).toEqual(["created", "created", "skipped user_exists"]);
    const added = [row("c"), row("c"), row("d")];
    expect(await outcomesOf(tenant, added, { on_existing: "add" })).toEqual([
      "created",
      "added",
      "created",
    ]);
    expect(await eventsOf(tenant, "c")).toMatchObject([{ details: { authenticators: 2 } }]);
  });

  it("gets further secrets while suspended, and uses them after that", async () => {
    const tenant = await createTenant();
    const secret = createSecret();
    await importRows(tenant, [{ external_id: "a", status: "suspended" }]);
    const row = { external_id: "a", status: "suspended", authenticators: [{ secret }] };
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual(["added"]);
    expect(await statusOfCode(tenant, "a", otpauthCode(secret, now))).toBe("user_suspended");
  });

  it("who is locked stays locked, and keeps the failures", async () => {
    const tenant = await createTenant();
    await tenant.setSettings({ lockout: { max_failed_attempts: 2 } });
    const user = await User.withTotp(tenant, "a");
    for (const _ of [1, 2]) await user.verify(user.wrongCode(now));
    const before = await user.profile();
    const secret = createSecret();
    const row = {
      external_id: "a",
      authenticators: [{ secret }],
      backup_codes: ["7KQ2-XM4P-0RTZ"],
    };
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual(["added"]);
    const { failed_attempts, is_locked, locked_until } = before;
    expect(await user.profile()).toMatchObject({
      ...{ failed_attempts, is_locked, locked_until, backup_codes_remaining: 1 },
    });
    for (const code of [otpauthCode(secret, now), "7KQ2-XM4P-0RTZ"]) {
      expect(await statusOfCode(tenant, "a", code)).toBe("user_locked");
    }
  });

  it("whom failures have kept from TOTP uses it again with an imported secret", async () => {
    const tenant = await createTenant();
    await tenant.setSettings({ lockout: { max_failed_attempts: 1, disable_after: 1 } });
    const user = await User.withTotp(tenant, "a");
    await user.verify(user.wrongCode(now));
    await tenant.send("POST", user.path("/unlock"));
    expect((await user.profile()).otp_status).toBe("disabled");
    const secret = createSecret();
    const row = { external_id: "a", authenticators: [{ secret }] };
    expect(await outcomesOf(tenant, [row], { on_existing: "add" })).toEqual(["added"]);
    expect(await statusOfCode(tenant, "a", otpauthCode(secret, now))).toBe("totp");
  });
});

describe("A dry run", () => {
  it("has the outcomes of the import, and changes nothing", async () => {
    const tenant = await createTenant();
    await User.withTotp(tenant, "known");
    const rows = [
      { external_id: "new", authenticators: [{ secret: createSecret() }] },
      { external_id: "known", authenticators: [{ secret: createSecret() }] },
      { external_id: "new", authenticators: [{ secret: createSecret() }] },
      { external_id: "bad", authenticators: [{ secret: "short" }] },
    ];
    const options = { on_existing: "add" };
    const before = await eventsOf(tenant, "known");
    const dry = await outcomesOf(tenant, rows, { ...options, dry_run: true });
    expect(dry).toEqual(["created", "added", "added", "failed invalid_secret"]);
    expect((await profileOf(tenant, "new")).code).toBe("user_not_found");
    expect(await eventsOf(tenant, "known")).toEqual(before);
    expect(await outcomesOf(tenant, rows, options)).toEqual(dry);
  });
});

describe("A row that is not valid", () => {
  const secret = createSecret();
  const otp = (authenticator: object) => ({ authenticators: [authenticator] });

  it.each([
    ["invalid_request", { status: "locked" }],
    ["invalid_request", otp({ secret, encoding: "ascii" })],
    ["invalid_request", otp({ secret, name: "x".repeat(65) })],
    ["invalid_secret", otp({})],
    ["invalid_secret", otp({ secret: createSecret(9) })],
    ["invalid_secret", otp({ secret: "A".repeat(206) })],
    ["invalid_secret", otp({ secret: "not base 32!" })],
    ["invalid_secret", otp({ secret, encoding: "hex" })],
    ["invalid_secret", otp({ secret, uri: `otpauth://totp/a?secret=${createSecret()}` })],
    ["invalid_uri", otp({ uri: "https://example.com/" })],
    ["invalid_uri", otp({ uri: "otpauth://totp/a" })],
    ["invalid_uri", otp({ uri: `otpauth://totp/%E0?secret=${secret}` })],
    ["unsupported_type", otp({ uri: `otpauth://hotp/a?secret=${secret}&counter=1` })],
    ["unsupported_type", otp({ uri: `otpauth://totp/a?secret=${secret}&encoder=steam` })],
    ["unsupported_parameters", otp({ uri: `otpauth://totp/a?secret=${secret}&algorithm=MD5` })],
    ["unsupported_parameters", otp({ uri: `otpauth://totp/a?secret=${secret}&digits=5` })],
    ["unsupported_parameters", otp({ uri: `otpauth://totp/a?secret=${secret}&period=x` })],
    ["unsupported_parameters", otp({ secret, algorithm: "SHA224" })],
    ["unsupported_parameters", otp({ secret, digits: 9 })],
    ["unsupported_parameters", otp({ secret, period: 14 })],
    ["too_many", { backup_codes: Array.from({ length: 21 }, (_, n) => `CODE-${1000 + n}`) }],
    ["invalid_backup_code", { backup_codes: ["12345678"] }],
    ["invalid_backup_code", { backup_codes: ["ABC12"] }],
    ["unsupported_scheme", { backup_codes: { scheme: "bcrypt", hashes: ["$2b$12$x"] } }],
    ["invalid_hash", { backup_codes: { scheme: "sha256", hashes: ["00"] } }],
  ])("fails with %s, and keeps no other from being imported: %j", async (code, fields) => {
    const tenant = await createTenant();
    const good = { external_id: "good", authenticators: [{ secret }] };
    const results = await importRows(tenant, [{ external_id: "bad", ...fields }, good]);
    expect(results).toEqual([
      { external_id: "bad", outcome: "failed", code, message: expect.any(String) },
      { external_id: "good", outcome: "created" },
    ]);
    expect((await profileOf(tenant, "bad")).code).toBe("user_not_found");
  });

  it.each(["", "a\u0000b", "x".repeat(256)])("has the external_id %j", async (external_id) => {
    const results = await importRows(await createTenant(), [{ external_id }]);
    expect(results).toMatchObject([{ outcome: "failed", code: "invalid_request" }]);
  });
});

describe("A request that is not valid", () => {
  it.each([
    ["no rows", { users: [] }],
    ["too many rows", { users: Array.from({ length: 101 }, (_, n) => ({ external_id: `${n}` })) }],
    ["an unknown field", { users: [{ external_id: "a", password: "x" }] }],
    ["a field of another type", { users: [{ external_id: "a", authenticators: [{ secret: 1 }] }] }],
    ["another on_existing", { users: [{ external_id: "a" }], on_existing: "replace" }],
  ])("with %s is refused as a whole", async (_, body) => {
    const tenant = await createTenant();
    const { status, body: answer } = await tenant.send("POST", "/v1/idp/users/import", body);
    expect([status, answer.code]).toEqual([400, "invalid_request"]);
  });

  it("with more than 512 KiB is refused, and one with a hundred full rows is not", async () => {
    const tenant = await createTenant();
    const authenticators = () =>
      Array.from({ length: 5 }, () => ({ secret: createSecret(128), name: "x".repeat(64) }));
    const hashes = Array.from({ length: 20 }, (_, n) => n.toString(16).padStart(128, "0"));
    const rows = Array.from({ length: 100 }, (_, n) => ({
      external_id: `user-${n}`.padEnd(100, "x"),
      authenticators: authenticators(),
      backup_codes: { scheme: "sha512", hashes },
    }));
    expect(await outcomesOf(tenant, rows)).toEqual(rows.map(() => "created"));
    const large = [{ external_id: "x".repeat(512 * 1024) }];
    expect((await sendImport(tenant, large)).body.code).toBe("body_too_large");
  });
});
