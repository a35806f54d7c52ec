/** Backup codes that another provider created: in clear, or as the hashes that it stored. */
import { describe, expect, it } from "vitest";
import { deliverAll } from "../performance/scenario.ts";
import { Tenant, User } from "../support/client.ts";
import { evict, loseStorage } from "../support/guard.ts";
import {
  createSecret,
  eventsOf,
  importRows,
  outcomesOf,
  profileOf,
  verifyFor,
} from "../support/imports.ts";

const clear = ["7KQ2-XM4P-0RTZ", "abcd1234", "9gh7k2mn"];
const add = { on_existing: "add" };

async function statusOf(tenant: Tenant, externalId: string, code: string): Promise<string> {
  const { status, body } = await verifyFor(tenant, externalId, code);
  return status === 200 ? `${body.method}, ${body.backup_codes_remaining} left` : body.code;
}

async function importCodes(backup_codes: unknown): Promise<Tenant> {
  const tenant = await Tenant.create();
  expect(await outcomesOf(tenant, [{ external_id: "a", backup_codes }])).toEqual(["created"]);
  return tenant;
}

describe("Imported codes in clear", () => {
  it("are accepted once each, in any case, with dashes anywhere", async () => {
    const tenant = await importCodes(clear);
    expect((await profileOf(tenant, "a")).backup_codes_remaining).toBe(3);
    expect(await statusOf(tenant, "a", "7kq2xm4p 0rtz")).toBe("backup_code, 2 left");
    expect(await statusOf(tenant, "a", "7KQ2-XM4P-0RTZ")).toBe("code_already_used");
    expect(await statusOf(tenant, "a", "ABCD-1234")).toBe("backup_code, 1 left");
    expect(await statusOf(tenant, "a", "7KQ2-XM4P-0RTZ")).toBe("invalid_code");
    expect(await statusOf(tenant, "a", "9g-h7\u2013k2mn")).toBe("backup_code, 0 left");
    expect(await statusOf(tenant, "a", "9GH7K2MN")).toBe("code_already_used");
  });

  it("that are wrong count as failures, whatever their form, and lock the user", async () => {
    const tenant = await importCodes(clear);
    for (const code of ["7KQ2-XM4P-0RTY", "ABCE-1234", "abcdefghijkl", "12-34-56"]) {
      expect(await statusOf(tenant, "a", code)).toBe("invalid_code");
    }
    expect((await profileOf(tenant, "a")).failed_attempts).toBe(4);
    expect((await verifyFor(tenant, "a", "0-0-0-0-0-0")).body.locked_until).not.toBeNull();
    expect(await statusOf(tenant, "a", clear[0] ?? "")).toBe("user_locked");
  });

  it("have one spelling, so that a code that stands twice is one code", async () => {
    const tenant = await importCodes(["7KQ2-XM4P-0RTZ", "7kq2xm4p0rtz"]);
    expect((await profileOf(tenant, "a")).backup_codes_remaining).toBe(1);
  });

  it("are codes of that user alone, because each has a keyed hash", async () => {
    const tenant = await importCodes(clear);
    await importRows(tenant, [{ external_id: "b", backup_codes: ["QWER-9999"] }]);
    expect(await statusOf(tenant, "b", "7KQ2-XM4P-0RTZ")).toBe("invalid_code");
  });
});

describe("A user without imported codes", () => {
  it.each(["7KQ2-XM4P-0RTZ", "ABC-D1234", "ABCI-1234", "552192012", "abcdef"])(
    "cannot have %j, so it is no attempt",
    async (code) => {
      const user = await User.withTotp(await Tenant.create());
      const codes = await user.backupCodes();
      const { status, body } = await user.verify(code);
      expect([status, body.code]).toEqual([400, "invalid_request"]);
      expect(body.issues).toMatchObject([{ path: "otp.code" }]);
      expect((await user.profile()).failed_attempts).toBe(0);
      expect((await user.verify(codes[0])).status).toBe(200);
    },
  );

  it("is not told apart from one who does not exist", async () => {
    const tenant = await Tenant.create();
    const { status, body } = await verifyFor(tenant, "nobody", "7KQ2-XM4P-0RTZ");
    expect([status, body.code]).toEqual([400, "invalid_request"]);
  });
});

describe("Imported hashes", () => {
  // From the unit test of Keycloak itself.
  const keycloak = {
    code: "L9RRAUWYKARB",
    hash: "OnOEi8vsNqnI2s6t2IxU2+A+KrzWAVpR9AHExeQgDzTuoiU1qPzFsOpFIy8wb6EtPEGHKj0ehgHyTbuBTyChhg==",
  };
  // From Python's hashlib.
  const cases = [
    { what: "Keycloak", scheme: "sha512", ...keycloak },
    {
      what: "hexadecimal SHA-256 of a code with dashes and in mixed case",
      scheme: "sha256",
      code: "a1b2-C3d4-E5f6",
      hash: "c9f62ae63d3e3a5b0b6acc818832780f8131ed1dfe3902f78480f36f0c48e02b",
    },
    {
      what: "SHA-256 of a code in lower case",
      scheme: "sha256",
      code: "K7M2-P9X4",
      hash: "c64916a16fc63f1efa1fef51c7bc7e3aeacd40fdc9b3f0f59eb03673c3b09440",
    },
    {
      what: "Devise and Passlib",
      scheme: "pbkdf2",
      code: "asdf-1234-qwer",
      hash: "$pbkdf2-sha512$20000$c2FsdHNhbHRzYWx0MTIzNA$OoIfsecCHuOiH9H31.jaGETObQobtU9I2qY.c/xGr0921L0aFrPtDc0j1.Kx8HAWLPJvmgzQe2Nw1PcCQsrCLA",
    },
    {
      what: "Passlib with SHA-256",
      scheme: "pbkdf2",
      code: "0a1b2-c3d4e",
      hash: "$pbkdf2-sha256$20000$c2FsdHNhbHRzYWx0MTIzNA$ZxOxyfHFQLe.SRR4dkHhaliSzYAgEJxXKG2iQkasuP8",
    },
    {
      what: "Django",
      scheme: "pbkdf2",
      code: "zxcvbnm99",
      hash: "pbkdf2_sha256$100000$plainSalt$Sf51qFPrmRD2fLD2ZijP1J94Q6mqrvfFLUQXmc7MwZA=",
    },
  ];

  it.each(cases)("of $what are verified once", async ({ scheme, code, hash }) => {
    const tenant = await importCodes({ scheme, hashes: [hash] });
    expect(await statusOf(tenant, "a", `${code}x`)).toBe("invalid_code");
    expect(await statusOf(tenant, "a", code)).toBe("backup_code, 0 left");
    expect(await statusOf(tenant, "a", code)).toBe("code_already_used");
  });

  it("of several salts are all tried", async () => {
    const hashes = cases.filter(({ scheme }) => scheme === "pbkdf2").map(({ hash }) => hash);
    const tenant = await importCodes({ scheme: "pbkdf2", hashes });
    expect(await statusOf(tenant, "a", "zxcvbnm99")).toBe("backup_code, 2 left");
    expect(await statusOf(tenant, "a", "asdf-1234-qwer")).toBe("backup_code, 1 left");
    expect(await statusOf(tenant, "a", "0a1b2c3d4e")).toBe("backup_code, 0 left");
  });

  it("are spent once by twenty attempts at the same time", async () => {
    const tenant = await importCodes({ scheme: "sha512", hashes: [keycloak.hash] });
    const attempts = Array.from({ length: 20 }, () => verifyFor(tenant, "a", keycloak.code));
    const statuses = (await Promise.all(attempts)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });

  it.each([
    [
      "more than 100,000 iterations",
      [
        "$pbkdf2-sha512$100001$c2FsdA$OoIfsecCHuOiH9H31.jaGETObQobtU9I2qY.c/xGr0921L0aFrPtDc0j1.Kx8HAWLPJvmgzQe2Nw1PcCQsrCLA",
      ],
    ],
    [
      "more than 200,000 iterations in all",
      ["a", "b", "c"].map((salt) => `pbkdf2_sha256$100000$${salt}$${"A".repeat(43)}=`),
    ],
    ["no form of PBKDF2", ["0a1b".repeat(16)]],
    ["a long salt", [`pbkdf2_sha256$1000$${"x".repeat(300)}$${"A".repeat(43)}=`]],
    ["a checksum that is longer than the hash", [`$pbkdf2-sha256$1000$c2FsdA$${"A".repeat(64)}`]],
    ["a checksum that is too short", ["$pbkdf2-sha256$1000$c2FsdA$AAAA"]],
  ])("with %s fail", async (_, hashes) => {
    const tenant = await Tenant.create();
    const row = { external_id: "a", backup_codes: { scheme: "pbkdf2", hashes } };
    expect(await outcomesOf(tenant, [row])).toEqual(["failed invalid_hash"]);
  });

  it("are compared by their digests, in hex and in base64", async () => {
    const tenant = await Tenant.create();
    const bytes = Uint8Array.from(atob(keycloak.hash), (letter) => letter.charCodeAt(0));
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const spelled = [keycloak.hash, keycloak.hash.replace(/=+$/, ""), hex, hex.toUpperCase()];
    const hashes = [...spelled, keycloak.hash.replaceAll("+", "-").replaceAll("/", "_")];
    const row = { external_id: "a", backup_codes: { scheme: "sha512", hashes } };
    expect(await outcomesOf(tenant, [row])).toEqual(["created"]);
    expect((await profileOf(tenant, "a")).backup_codes_remaining).toBe(1);
  });
});

describe("A set of imported codes", () => {
  it("does not come back when a row is sent again after a code was spent", async () => {
    const tenant = await importCodes(clear);
    const row = { external_id: "a", backup_codes: clear };
    expect(await statusOf(tenant, "a", clear[0] ?? "")).toBe("backup_code, 2 left");
    expect(await outcomesOf(tenant, [row], add)).toEqual(["skipped already_imported"]);
    expect(await statusOf(tenant, "a", clear[0] ?? "")).toBe("code_already_used");
  });

  it("does not join codes that the user has", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant, "a");
    const [own = ""] = await user.backupCodes();
    const row = {
      external_id: "a",
      backup_codes: clear,
      authenticators: [{ secret: createSecret() }],
    };
    expect(await outcomesOf(tenant, [row], add)).toEqual(["failed backup_codes_exist"]);
    expect(await user.authenticators()).toHaveLength(1);
    expect(await statusOf(tenant, "a", own)).toBe("backup_code, 9 left");
  });

  it("ends with a set that the service creates, and with the removal of TOTP", async () => {
    const tenant = await importCodes(clear);
    await tenant.send("POST", "/v1/idp/user/backup-codes?externalUserId=a");
    expect((await verifyFor(tenant, "a", "7KQ2-XM4P-0RTZ")).status).toBe(400);
    const removed = {
      external_id: "b",
      backup_codes: clear,
      authenticators: [{ secret: createSecret() }],
    };
    await importRows(tenant, [removed]);
    await tenant.send("DELETE", "/v1/idp/user/otp?externalUserId=b");
    expect((await profileOf(tenant, "b")).backup_codes_remaining).toBe(0);
    expect(await outcomesOf(tenant, [removed], add)).toEqual(["added"]);
  });

  it("is the same after the guard was evicted, and after it lost its storage", async () => {
    const tenant = await importCodes({ scheme: "sha512", hashes: [keycloakHash, otherHash] });
    const { id } = await profileOf(tenant, "a");
    const user = Object.assign(Object.create(User.prototype), { tenant, externalId: "a", id });
    expect(await statusOf(tenant, "a", "L9RRAUWYKARB")).toBe("backup_code, 1 left");
    await deliverAll(user);
    await evict(user);
    expect(await statusOf(tenant, "a", "L9RRAUWYKARB")).toBe("code_already_used");
    await deliverAll(user);
    await loseStorage(user);
    expect(await statusOf(tenant, "a", "ABCDEFGHJKLM")).toBe("backup_code, 0 left");
    expect((await eventsOf(tenant, "a")).map(({ action }) => action)).toContain("otp.imported");
  });
});

const keycloakHash =
  "OnOEi8vsNqnI2s6t2IxU2+A+KrzWAVpR9AHExeQgDzTuoiU1qPzFsOpFIy8wb6EtPEGHKj0ehgHyTbuBTyChhg==";
/** Of `ABCDEFGHJKLM`. */
const otherHash =
  "p+DMhIoz853kiiNUFbBrZwlDskNronzXZ6sjwawFZoDLeSxlPeAWy3h3KHkiJEWa+OtxAZ4qv0CY8+v2QRq2iA==";
