import { describe, expect, test } from "vitest";
import {
  configureTotp,
  removeTotp,
  replaceBackupCodes,
} from "../../../src/guard/decisions/credentials.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { verify } from "../../../src/guard/decisions/verify.ts";
import {
  buildIdentity,
  buildLockout,
  buildTotpEvidence,
  call,
  callAt,
  describeEntries,
  expectDecision,
  lockoutPolicy,
  minute,
  now,
  step,
} from "./example.ts";

const id = "0".repeat(24);
const used = buildIdentity({
  totp: { sealed: "sealed-1", lastTimeStep: step },
  pendingTotp: { sealed: "sealed-0", expiresAt: now + minute },
  backupCodes: { keyVersion: 1, unspent: ["aa"], spent: ["bb"] },
  ...buildLockout({ failedAttempts: 7, failuresThisRound: 2, locks: 1, lockedUntil: now - 1 }),
});

describe("configuring TOTP with immediate enrolment", () => {
  test("activates the new, unused secret and deletes a pending one", () => {
    const { state, entries, result } = configureTotp(
      used,
      call,
      { id, sealed: "sealed-2" },
      "immediate",
    );
    expect(result).toEqual({ ok: true, value: { isSetupComplete: true } });
    expect(state).toEqual({
      ...used,
      totp: { sealed: "sealed-2", lastTimeStep: null, id },
      pendingTotp: null,
      updatedAt: now,
    });
    expect(describeEntries(entries)).toEqual(["otp.configured success"]);
    expect(entries[0]?.details).toEqual({ enrolment: "immediate", replaced: true });
  });

  test("keeps the failures and the lock", () => {
    const locked = buildIdentity(
      buildLockout({ failedAttempts: 5, locks: 1, lockedUntil: now + minute }),
    );
    const { state } = configureTotp(locked, call, { id, sealed: "sealed-2" }, "immediate");
    expect(state.lockout).toEqual(locked.lockout);
    const evidence = buildTotpEvidence({ sealed: "sealed-2", step });
    expect(expectDecision(verify(state, call, evidence, lockoutPolicy)).result).toMatchObject({
      ok: false,
      error: { code: "user_locked" },
    });
  });

  test("reports whether a secret was replaced", () => {
    const { entries } = configureTotp(
      buildIdentity({ totp: null }),
      call,
      { id, sealed: "sealed-1" },
      "immediate",
    );
    expect(entries[0]?.details).toEqual({ enrolment: "immediate", replaced: false });
  });
});

describe("configuring TOTP with confirmed enrolment", () => {
  test("keeps the old secret and its spent step; the new secret is pending for ten minutes", () => {
    const { state, result } = configureTotp(used, call, { id, sealed: "sealed-2" }, "confirm");
    expect(result).toEqual({ ok: true, value: { isSetupComplete: false } });
    expect(state).toEqual({
      ...used,
      pendingTotp: {
        sealed: "sealed-2",
        expiresAt: now + 10 * minute,
        id,
      },
      updatedAt: now,
    });
  });

  test("leaves a disabled TOTP disabled until a code of the new secret is accepted", () => {
    const disabled = buildIdentity({ otpDisabled: true, ...buildLockout({ failedAttempts: 100 }) });
    const { state } = configureTotp(disabled, call, { id, sealed: "sealed-2" }, "confirm");
    expect(state.otpDisabled).toBe(true);
    const evidence = buildTotpEvidence({
      sealed: null,
      pendingSealed: "sealed-2",
      pendingStep: step,
    });
    const confirmed = expectDecision(verify(state, call, evidence, lockoutPolicy));
    expect(confirmed.state).toMatchObject({
      otpDisabled: false,
      totp: { sealed: "sealed-2" },
      lockout: { failedAttempts: 0 },
    });
  });
});

describe("configuring TOTP again after it was disabled", () => {
  const disabled = buildIdentity({
    otpDisabled: true,
    ...buildLockout({ failedAttempts: 100, locks: 20, lockedUntil: now - 1 }),
  });

  test.each(["immediate", "confirm"] as const)(
    "allows a hundred more failures (%s)",
    (enrolment) => {
      let { state } = configureTotp(disabled, call, { id, sealed: "sealed-2" }, enrolment);
      expect(state.lockout).toEqual({ ...disabled.lockout, failedBeforeEnrolment: 100 });
      const sealed = enrolment === "immediate" ? "sealed-2" : null;
      const pendingSealed = enrolment === "immediate" ? null : "sealed-2";
      // With locks of one second, a hundred failures fit into ten minutes.
      const quick = { ...lockoutPolicy, lockSeconds: 1, maxLockSeconds: 1 };
      let at = now;
      for (let count = 1; count <= 100; count += 1) {
        at = Math.max(at, state.lockout.lockedUntil ?? 0);
        const evidence = buildTotpEvidence({ sealed, pendingSealed });
        const failure = expectDecision(verify(state, callAt(at), evidence, quick));
        expect(failure.result).toMatchObject({ error: { code: "invalid_code" } });
        state = failure.state;
        expect(
          describeEntries(failure.entries).includes("otp.disabled success too_many_failures"),
        ).toBe(count === 100);
      }
      expect(state).toMatchObject({ otpDisabled: true, pendingTotp: null });
      expect(state.lockout.failedAttempts).toBe(200);
      const later = callAt(at + minute);
      expect(
        expectDecision(verify(state, later, buildTotpEvidence({ step }), lockoutPolicy)).result,
      ).toMatchObject({ error: { code: "otp_disabled" } });
    },
  );

  test("enables TOTP again", () => {
    const { state } = configureTotp(disabled, call, { id, sealed: "sealed-2" }, "immediate");
    expect(state.otpDisabled).toBe(false);
    const evidence = buildTotpEvidence({ sealed: "sealed-2", step });
    expect(expectDecision(verify(state, call, evidence, lockoutPolicy)).result.ok).toBe(true);
  });

  test("does not allow more than a hundred failures while TOTP is not disabled", () => {
    const almostDisabled = buildIdentity(
      buildLockout({ failedAttempts: 99, failuresThisRound: 4, locks: 19 }),
    );
    const { state } = configureTotp(almostDisabled, call, { id, sealed: "sealed-2" }, "immediate");
    const evidence = buildTotpEvidence({ sealed: "sealed-2" });
    expect(expectDecision(verify(state, call, evidence, lockoutPolicy)).state.otpDisabled).toBe(
      true,
    );
  });
});

describe("removing TOTP", () => {
  test("deletes the secret, the pending secret and the backup codes, and keeps the failures", () => {
    const { state, entries, result } = removeTotp(used, call);
    expect(result).toEqual({ ok: true, value: undefined });
    expect(state).toEqual({
      ...used,
      totp: null,
      pendingTotp: null,
      backupCodes: null,
      updatedAt: now,
    });
    expect(describeEntries(entries)).toEqual(["otp.removed success"]);
  });

  test("deletes a pending secret if it is the only secret", () => {
    const { state, result } = removeTotp({ ...used, totp: null }, call);
    expect(result.ok).toBe(true);
    expect(state).toMatchObject({ pendingTotp: null, backupCodes: null });
  });

  test("is refused when no secret exists", () => {
    const none = buildIdentity({ totp: null });
    const { state, entries, result } = removeTotp(none, call);
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
    expect(describeEntries(entries)).toEqual(["otp.removed refused otp_not_configured"]);
    expect({ ...state, refusals: [] }).toEqual(none);
  });

  test("keeps TOTP disabled, and a new secret does not restore the backup codes", () => {
    const disabled: IdentityState = { ...used, otpDisabled: true };
    const removed = removeTotp(disabled, call).state;
    expect(removed.otpDisabled).toBe(true);
    const again = configureTotp(removed, call, { id, sealed: "sealed-2" }, "immediate").state;
    expect(again).toMatchObject({ otpDisabled: false, backupCodes: null });
  });
});

describe("new backup codes", () => {
  test("replace the whole old set, including its spent codes, in one transition", () => {
    const { state, entries, result } = replaceBackupCodes(used, call, 2, ["x", "y"]);
    expect(result).toEqual({ ok: true, value: undefined });
    expect(state).toEqual({
      ...used,
      backupCodes: { keyVersion: 2, unspent: ["x", "y"], spent: [] },
      updatedAt: now,
    });
    expect(describeEntries(entries)).toEqual(["backup_codes.generated success"]);
    expect(entries[0]?.details).toEqual({ count: 2, replaced: true });
  });

  test("keep the failures and the lock, and keep a disabled TOTP disabled", () => {
    const disabled: IdentityState = { ...used, otpDisabled: true };
    const { state } = replaceBackupCodes(disabled, call, 1, ["x"]);
    expect(state.lockout).toEqual(used.lockout);
    expect(state.otpDisabled).toBe(true);
  });
});

describe("for a suspended user", () => {
  const suspended: IdentityState = { ...used, status: "suspended" };

  test.each([
    [
      "no secret is created",
      configureTotp(suspended, call, { id, sealed: "sealed-2" }, "immediate"),
    ],
    [
      "no pending secret is created",
      configureTotp(suspended, call, { id, sealed: "sealed-2" }, "confirm"),
    ],
    ["no backup codes are created", replaceBackupCodes(suspended, call, 1, ["x"])],
  ])("%s", (_, { state, entries, result }) => {
    expect(result).toEqual({ ok: false, error: { code: "user_suspended" } });
    expect({ ...state, refusals: [] }).toEqual(suspended);
    expect(entries.map(({ outcome }) => outcome)).toEqual(["refused"]);
  });

  test("TOTP can still be removed", () => {
    expect(removeTotp(suspended, call).result.ok).toBe(true);
  });
});
