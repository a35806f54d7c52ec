import { describe, expect, test } from "vitest";
import {
  configureTotp,
  removeTotp,
  replaceBackupCodes,
} from "../../../src/guard/decisions/credentials.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { verify } from "../../../src/guard/decisions/verify.ts";
import {
  call,
  callAt,
  decided,
  identity,
  lockoutPolicy,
  lockoutWith,
  minute,
  now,
  step,
  told,
  totpEvidence,
} from "./example.ts";

const used = identity({
  totp: { sealed: "sealed-1", lastTimeStep: step },
  pendingTotp: { sealed: "sealed-0", expiresAt: now + minute },
  backupCodes: { keyVersion: 1, unspent: ["aa"], spent: ["bb"] },
  ...lockoutWith({ failedAttempts: 7, failuresThisRound: 2, locks: 1, lockedUntil: now - 1 }),
});

describe("configuring TOTP at once", () => {
  test("makes the new secret live, unused, and drops a pending one", () => {
    const { state, entries, result } = configureTotp(used, call, "sealed-2", "immediate");
    expect(result).toEqual({ ok: true, value: { isSetupComplete: true } });
    expect(state).toEqual({
      ...used,
      totp: { sealed: "sealed-2", lastTimeStep: null },
      pendingTotp: null,
      updatedAt: now,
    });
    expect(told(entries)).toEqual(["otp.configured success"]);
    expect(entries[0]?.details).toEqual({ enrolment: "immediate", replaced: true });
  });

  test("keeps the failures and the lock", () => {
    const locked = identity(
      lockoutWith({ failedAttempts: 5, locks: 1, lockedUntil: now + minute }),
    );
    const { state } = configureTotp(locked, call, "sealed-2", "immediate");
    expect(state.lockout).toEqual(locked.lockout);
    const evidence = totpEvidence({ sealed: "sealed-2", step });
    expect(decided(verify(state, call, evidence, lockoutPolicy)).result).toMatchObject({
      ok: false,
      error: { code: "user_locked" },
    });
  });

  test("tells when it is the first secret", () => {
    const { entries } = configureTotp(identity({ totp: null }), call, "sealed-1", "immediate");
    expect(entries[0]?.details).toEqual({ enrolment: "immediate", replaced: false });
  });
});

describe("configuring TOTP to be confirmed", () => {
  test("keeps the old secret live and its step spent; the new one waits ten minutes", () => {
    const { state, result } = configureTotp(used, call, "sealed-2", "confirm");
    expect(result).toEqual({ ok: true, value: { isSetupComplete: false } });
    expect(state).toEqual({
      ...used,
      pendingTotp: { sealed: "sealed-2", expiresAt: now + 10 * minute },
      updatedAt: now,
    });
  });

  test("leaves a disabled TOTP disabled until a code of the new secret is accepted", () => {
    const disabled = identity({ otpDisabled: true, ...lockoutWith({ failedAttempts: 100 }) });
    const { state } = configureTotp(disabled, call, "sealed-2", "confirm");
    expect(state.otpDisabled).toBe(true);
    const evidence = totpEvidence({ sealed: null, pendingSealed: "sealed-2", pendingStep: step });
    const confirmed = decided(verify(state, call, evidence, lockoutPolicy));
    expect(confirmed.state).toMatchObject({
      otpDisabled: false,
      totp: { sealed: "sealed-2" },
      lockout: { failedAttempts: 0 },
    });
  });
});

describe("configuring a disabled TOTP anew", () => {
  const disabled = identity({
    otpDisabled: true,
    ...lockoutWith({ failedAttempts: 100, locks: 20, lockedUntil: now - 1 }),
  });

  test.each(["immediate", "confirm"] as const)("starts a new hundred (%s)", (enrolment) => {
    let { state } = configureTotp(disabled, call, "sealed-2", enrolment);
    expect(state.lockout).toEqual({ ...disabled.lockout, failedBeforeEnrolment: 100 });
    const sealed = enrolment === "immediate" ? "sealed-2" : null;
    const pendingSealed = enrolment === "immediate" ? null : "sealed-2";
    // Locks of a second, so that a hundred failures fit into ten minutes.
    const quick = { ...lockoutPolicy, lockSeconds: 1, maxLockSeconds: 1 };
    let at = now;
    for (let count = 1; count <= 100; count += 1) {
      at = Math.max(at, state.lockout.lockedUntil ?? 0);
      const evidence = totpEvidence({ sealed, pendingSealed });
      const failure = decided(verify(state, callAt(at), evidence, quick));
      expect(failure.result).toMatchObject({ error: { code: "invalid_code" } });
      state = failure.state;
      expect(told(failure.entries).includes("otp.disabled success too_many_failures")).toBe(
        count === 100,
      );
    }
    expect(state).toMatchObject({ otpDisabled: true, pendingTotp: null });
    expect(state.lockout.failedAttempts).toBe(200);
    const later = callAt(at + minute);
    expect(
      decided(verify(state, later, totpEvidence({ step }), lockoutPolicy)).result,
    ).toMatchObject({ error: { code: "otp_disabled" } });
  });

  test("makes it live again", () => {
    const { state } = configureTotp(disabled, call, "sealed-2", "immediate");
    expect(state.otpDisabled).toBe(false);
    const evidence = totpEvidence({ sealed: "sealed-2", step });
    expect(decided(verify(state, call, evidence, lockoutPolicy)).result.ok).toBe(true);
  });

  test("is no way to more than a hundred guesses at a secret that is not disabled", () => {
    const nearly = identity(lockoutWith({ failedAttempts: 99, failuresThisRound: 4, locks: 19 }));
    const { state } = configureTotp(nearly, call, "sealed-2", "immediate");
    const evidence = totpEvidence({ sealed: "sealed-2" });
    expect(decided(verify(state, call, evidence, lockoutPolicy)).state.otpDisabled).toBe(true);
  });
});

describe("removing TOTP", () => {
  test("removes the secret, the pending one and the backup codes, and keeps the failures", () => {
    const { state, entries, result } = removeTotp(used, call);
    expect(result).toEqual({ ok: true, value: undefined });
    expect(state).toEqual({
      ...used,
      totp: null,
      pendingTotp: null,
      backupCodes: null,
      updatedAt: now,
    });
    expect(told(entries)).toEqual(["otp.removed success"]);
  });

  test("removes a pending secret that is the only one", () => {
    const { state, result } = removeTotp({ ...used, totp: null }, call);
    expect(result.ok).toBe(true);
    expect(state).toMatchObject({ pendingTotp: null, backupCodes: null });
  });

  test("is refused when there is none", () => {
    const none = identity({ totp: null });
    const { state, entries, result } = removeTotp(none, call);
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
    expect(told(entries)).toEqual(["otp.removed refused otp_not_configured"]);
    expect({ ...state, refusals: [] }).toEqual(none);
  });

  test("and configuring it again does not bring back codes, nor undo the disabling by itself", () => {
    const disabled: IdentityState = { ...used, otpDisabled: true };
    const removed = removeTotp(disabled, call).state;
    expect(removed.otpDisabled).toBe(true);
    const again = configureTotp(removed, call, "sealed-2", "immediate").state;
    expect(again).toMatchObject({ otpDisabled: false, backupCodes: null });
  });
});

describe("new backup codes", () => {
  test("replace the old set whole, spent ones too, in the same step", () => {
    const { state, entries, result } = replaceBackupCodes(used, call, 2, ["x", "y"]);
    expect(result).toEqual({ ok: true, value: undefined });
    expect(state).toEqual({
      ...used,
      backupCodes: { keyVersion: 2, unspent: ["x", "y"], spent: [] },
      updatedAt: now,
    });
    expect(told(entries)).toEqual(["backup_codes.generated success"]);
    expect(entries[0]?.details).toEqual({ count: 2, replaced: true });
  });

  test("keep failures and lock, and a disabled TOTP disabled", () => {
    const disabled: IdentityState = { ...used, otpDisabled: true };
    const { state } = replaceBackupCodes(disabled, call, 1, ["x"]);
    expect(state.lockout).toEqual(used.lockout);
    expect(state.otpDisabled).toBe(true);
  });
});

describe("for a suspended user", () => {
  const suspended: IdentityState = { ...used, status: "suspended" };

  test.each([
    ["no secret is made", configureTotp(suspended, call, "sealed-2", "immediate")],
    ["no secret is made to be confirmed", configureTotp(suspended, call, "sealed-2", "confirm")],
    ["no backup codes are made", replaceBackupCodes(suspended, call, 1, ["x"])],
  ])("%s", (_, { state, entries, result }) => {
    expect(result).toEqual({ ok: false, error: { code: "user_suspended" } });
    expect({ ...state, refusals: [] }).toEqual(suspended);
    expect(entries.map(({ outcome }) => outcome)).toEqual(["refused"]);
  });

  test("TOTP can still be removed", () => {
    expect(removeTotp(suspended, call).result.ok).toBe(true);
  });
});
