import { describe, expect, test } from "vitest";
import {
  applyImport,
  fitsPlan,
  type ImportedRow,
  type ImportedSecret,
  isChange,
  type OnExisting,
  planImport,
} from "../../../src/guard/decisions/import-user.ts";
import { create } from "../../../src/guard/decisions/lifecycle.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { defaultParameters } from "../../../src/otp/totp.ts";
import {
  buildIdentity,
  buildLockout,
  call,
  describeEntries,
  exampleDevice,
  now,
} from "./example.ts";

function secretOf(fingerprint: string, changes: Partial<ImportedSecret> = {}): ImportedSecret {
  return { ...defaultParameters, bytes: new Uint8Array(20), fingerprint, name: null, ...changes };
}

function rowOf(
  fingerprints: readonly string[],
  hashes: readonly string[] = [],
  changes: Partial<ImportedRow> = {},
): ImportedRow {
  return {
    status: "active",
    secrets: fingerprints.map((one) => secretOf(one)),
    codes: hashes.length === 0 ? null : { recipes: ["sha512"], hashes, spent: [] },
    ...changes,
  };
}

const canBePrimary = ({ digits }: ImportedSecret) => digits === 6;

function plan(
  rows: readonly ImportedRow[],
  state?: IdentityState,
  {
    onExisting = "add",
    fingerprints = ["known"],
  }: {
    onExisting?: OnExisting;
    fingerprints?: readonly string[];
  } = {},
) {
  const present = state && { state, fingerprints };
  return planImport(present, rows, onExisting, canBePrimary, now);
}

function outcomesOf(...given: Parameters<typeof plan>): string[] {
  return plan(...given).outcomes.map(({ outcome, code }) => code ?? outcome);
}

const codes = (unspent: readonly string[], spent: readonly string[] = []) => ({
  backupCodes: { keyVersion: 1, unspent, spent },
});

describe("A plan", () => {
  test("creates a user with the first row that can be imported, and adds the others", () => {
    const rows = [
      rowOf(["1", "2", "3", "4", "5", "6"]),
      rowOf(["1"], [], { status: "suspended" }),
      rowOf(["1", "2"]),
    ];
    const { outcomes, creates, status, secrets } = plan(rows);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(["failed", "created", "added"]);
    expect([creates, status]).toEqual([true, "suspended"]);
    expect(secrets.map(({ fingerprint, isPrimary }) => [fingerprint, isPrimary])).toEqual([
      ["1", true],
      ["2", false],
    ]);
  });

  test("changes nothing of an existing user unless secrets are to be added", () => {
    const skipped = plan([rowOf(["new"])], buildIdentity(), { onExisting: "skip" });
    expect(skipped.outcomes).toEqual([{ outcome: "skipped", code: "user_exists" }]);
    expect(isChange(skipped)).toBe(false);
    expect(isChange(plan([rowOf(["new"])], buildIdentity()))).toBe(true);
    expect(isChange(plan([rowOf(["known"])], buildIdentity()))).toBe(false);
    expect(isChange(plan([rowOf([])]))).toBe(true);
  });

  test("counts a secret that stands twice in a row once", () => {
    expect(plan([rowOf(["1", "1", "known"])], buildIdentity()).secrets).toHaveLength(1);
  });

  test("keeps the place of the primary secret for one that can have it, and a pending one too", () => {
    const eight = rowOf([], [], { secrets: [secretOf("1", { digits: 8 }), secretOf("2")] });
    expect(plan([eight]).secrets.map(({ isPrimary }) => isPrimary)).toEqual([false, true]);
    expect(plan([eight], buildIdentity()).secrets.some(({ isPrimary }) => isPrimary)).toBe(false);
    const pendingTotp = { sealed: "p", expiresAt: now + 1 };
    const pending = buildIdentity({ totp: null, pendingTotp });
    expect(plan([eight], pending).secrets.some(({ isPrimary }) => isPrimary)).toBe(false);
    const expired = buildIdentity({ totp: null, pendingTotp: { ...pendingTotp, expiresAt: now } });
    expect(plan([eight], expired).secrets.some(({ isPrimary }) => isPrimary)).toBe(true);
  });

  test("has five secrets at most, with those that the user has", () => {
    expect(outcomesOf([rowOf(["1", "2", "3", "4"])], buildIdentity())).toEqual(["added"]);
    expect(outcomesOf([rowOf(["1", "2", "3", "4", "5"])], buildIdentity())).toEqual(["too_many"]);
    expect(outcomesOf([rowOf(["1", "2", "3", "4", "5"])])).toEqual(["created"]);
  });

  test("takes backup codes for a user without any, and finds those that are there, spent or not", () => {
    expect(outcomesOf([rowOf([], ["a", "b"])], buildIdentity())).toEqual(["added"]);
    const state = buildIdentity(codes(["a"], ["b"]));
    expect(outcomesOf([rowOf([], ["b", "a"])], state)).toEqual(["already_imported"]);
    expect(outcomesOf([rowOf(["1"], ["a", "c"])], state)).toEqual(["backup_codes_exist"]);
    expect(outcomesOf([rowOf(["1"], ["a"])], state)).toEqual(["added"]);
    expect(outcomesOf([rowOf([], ["a"]), rowOf([], ["a"]), rowOf([], ["b"])])).toEqual([
      "created",
      "already_imported",
      "backup_codes_exist",
    ]);
  });
});

describe("A plan fits", () => {
  const planned = buildIdentity(codes(["a", "b"]));

  test.each([
    ["a spent code", codes(["b"], ["a"])],
    ["an accepted code", { totp: { sealed: "sealed-1", lastTimeStep: 5 } }],
    ["failures", buildLockout({ failedAttempts: 3 })],
    ["a suspension", { status: "suspended" as const }],
  ])("still after %s", (_, changes) => {
    expect(fitsPlan(planned, { ...planned, ...changes })).toBe(true);
  });

  test.each([
    ["another primary secret", { totp: { sealed: "sealed-9", lastTimeStep: null } }],
    ["no primary secret", { totp: null }],
    ["a pending secret", { pendingTotp: { sealed: "p", expiresAt: now } }],
    ["other codes", codes(["a", "c"])],
    ["codes under another key", { backupCodes: { keyVersion: 2, unspent: ["a", "b"], spent: [] } }],
    ["no codes", { backupCodes: null }],
  ])("no more after %s", (_, changes) => {
    expect(fitsPlan(planned, { ...planned, ...changes })).toBe(false);
  });
});

describe("An import", () => {
  function apply(rows: readonly ImportedRow[], state?: IdentityState) {
    const made = plan(rows, state);
    const sealed = made.secrets.map((secret, index) => ({
      ...secret,
      ...{ id: `id-${index}`, sealed: `box-${index}` },
    }));
    return applyImport(state ?? create(call, "a").state, call, made, sealed, 7);
  }

  test("makes everything live, and names what has no name", () => {
    const named = rowOf([], ["h"], {
      status: "suspended",
      secrets: [
        secretOf("1", { name: "Phone" }),
        secretOf("2"),
        secretOf("3", { name: "Key", digits: 8 }),
      ],
    });
    const { state, entries } = apply([named]);
    expect(state).toMatchObject({
      status: "suspended",
      updatedAt: now,
      totp: { sealed: "box-0", id: "id-0", name: "Phone", lastTimeStep: null },
      authenticators: [
        { sealed: "box-1", name: "Authenticator 2", pendingUntil: null, lastUsedAt: null },
        { sealed: "box-2", name: "Key", digits: 8, lastTimeStep: null },
      ],
      backupCodes: { keyVersion: 7, unspent: ["h"], spent: [], imported: { recipes: ["sha512"] } },
    });
    expect(describeEntries(entries)).toEqual(["otp.imported success"]);
    const counts = { authenticators: 3, backup_codes: 1 };
    expect(entries[0]?.details).toEqual({ result: "created", status: "suspended", ...counts });
  });

  test("leaves the status and the other secrets of an existing user as they are", () => {
    const before = buildIdentity({ status: "suspended" });
    const { state, entries } = apply([rowOf(["1"])], before);
    expect(state).toMatchObject({ status: "suspended", totp: before.totp, backupCodes: null });
    expect(state.authenticators).toMatchObject([{ name: "Authenticator 2" }]);
    expect(entries[0]?.details).toEqual({ result: "added", authenticators: 1, backup_codes: 0 });
  });

  test("enables a disabled TOTP and removes known devices if it has a secret, and only then", () => {
    const before = buildIdentity({ otpDisabled: true, devices: [exampleDevice] });
    const withSecret = apply([rowOf(["1"])], before);
    expect(withSecret.state).toMatchObject({ otpDisabled: false, devices: [] });
    expect(describeEntries(withSecret.entries)).toEqual([
      "otp.imported success",
      "device.removed success otp_configured",
    ]);
    const withCodes = apply([rowOf([], ["a"])], before);
    expect(withCodes.state).toMatchObject({ otpDisabled: true, devices: [exampleDevice] });
  });
});
