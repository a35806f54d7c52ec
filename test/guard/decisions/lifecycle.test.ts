import { describe, expect, test } from "vitest";
import { create, erase, setStatus, unlock } from "../../../src/guard/decisions/lifecycle.ts";
import { noPasskeys } from "../../../src/guard/decisions/passkey-state.ts";
import { completeProfile, profileOf, statusOf } from "../../../src/guard/decisions/profile.ts";
import { refuse } from "../../../src/guard/decisions/refusals.ts";
import { type IdentityState, parseState } from "../../../src/guard/decisions/state.ts";
import { verify } from "../../../src/guard/decisions/verify.ts";
import {
  buildIdentity,
  buildLockout,
  buildTotpEvidence,
  call,
  callAt,
  describeEntries,
  examplePasskey,
  expectDecision,
  lockoutPolicy,
  minute,
  now,
  step,
} from "./example.ts";

const auditKey = { id: "0123456789abcdef", sealed: "sealed-key" };

const fullIdentity = buildIdentity({
  externalId: "alexander@enterprise.com",
  lastVerifiedAt: now - 7,
  totp: { sealed: "sealed-secret", lastTimeStep: step },
  pendingTotp: { sealed: "sealed-pending", expiresAt: now + minute },
  otpDisabled: true,
  backupCodes: { keyVersion: 3, unspent: ["hash-unspent"], spent: ["hash-spent"] },
  passkeys: { credentials: [examplePasskey], spent: [], floor: now - 9 },
  ...buildLockout({ failedAttempts: 55, locks: 11, lockedUntil: now + minute }),
  recent: [{ at: now - 5, kind: "failure" }],
});

test("a new identity is active, without factors and without failures", () => {
  const { state, entries, result } = create(call, "Alice", auditKey);
  expect(state).toEqual({
    ...buildIdentity({ totp: null, auditKey }),
    externalId: "Alice",
    createdAt: now,
    updatedAt: now,
  });
  expect(describeEntries(entries)).toEqual(["user.provisioned success"]);
  expect(result).toEqual({
    ok: true,
    value: {
      id: call.identityId,
      externalId: "Alice",
      tenantId: call.tenantId,
      status: "active",
      hasOtp: false,
      hasPasskeys: false,
      isLocked: false,
      failedAttempts: 0,
      lockedUntil: null,
      backupCodesRemaining: 0,
      createdAt: now,
      updatedAt: now,
      lastVerifiedAt: null,
      otpStatus: "none",
      otpPending: false,
    },
  });
});

/** The identity, with a floor below which no challenge of a passkey is accepted. */
function raisedTo(floor: number, { passkeys, ...state }: IdentityState): IdentityState {
  return { ...state, passkeys: { ...(passkeys ?? noPasskeys), floor } };
}

describe("suspending and reactivating", () => {
  test("change only the status, and end what was started with passkeys", () => {
    const suspended = setStatus(fullIdentity, call, "suspended");
    const expected = raisedTo(now, fullIdentity);
    expect(suspended.state).toEqual({ ...expected, status: "suspended", updatedAt: now });
    expect(describeEntries(suspended.entries)).toEqual(["user.suspended success"]);
    expect(suspended.result).toMatchObject({ value: { status: "suspended", updatedAt: now } });
    const back = setStatus(suspended.state, callAt(now + 1), "active");
    expect(back.state).toEqual({ ...expected, updatedAt: now + 1 });
    expect(describeEntries(back.entries)).toEqual(["user.reactivated success"]);
    expect(back.result).toMatchObject({ value: { status: "locked" } });
  });

  test.each([
    ["active", "user.reactivated success"],
    ["suspended", "user.suspended success"],
  ] as const)("are reported even if the user is already %s", (status, entry) => {
    const state = buildIdentity({ status });
    const transition = setStatus(state, call, status);
    const expected = status === "suspended" ? raisedTo(now, state) : state;
    expect(transition.state).toEqual({ ...expected, updatedAt: now });
    expect(describeEntries(transition.entries)).toEqual([entry]);
    expect(transition.result).toMatchObject({ ok: true, value: { status } });
  });
});

describe("unlocking", () => {
  test("ends the lock and resets the failures", () => {
    const { state, entries, result } = unlock(fullIdentity, call);
    expect(state).toEqual({ ...fullIdentity, lockout: buildIdentity().lockout, updatedAt: now });
    expect(describeEntries(entries)).toEqual(["user.unlocked success"]);
    expect(result).toMatchObject({
      ok: true,
      value: { status: "active", isLocked: false, failedAttempts: 0, lockedUntil: null },
    });
  });

  test("keeps a disabled TOTP disabled", () => {
    const { state } = unlock({ ...fullIdentity, pendingTotp: null }, call);
    expect(state.otpDisabled).toBe(true);
    const attempt = verify(state, call, buildTotpEvidence({ step: step + 1 }), lockoutPolicy);
    expect(expectDecision(attempt).result).toMatchObject({ error: { code: "otp_disabled" } });
  });

  test("keeps a spent step spent and a suspended user suspended", () => {
    const { state } = unlock({ ...fullIdentity, status: "suspended" }, call);
    expect(state.totp?.lastTimeStep).toBe(step);
    expect(state.status).toBe("suspended");
  });

  test("restores the five attempts and the length of the first lock", () => {
    const { state } = unlock({ ...fullIdentity, otpDisabled: false, pendingTotp: null }, call);
    let after = state;
    for (let count = 0; count < 5; count += 1) {
      const wrong = buildTotpEvidence({ sealed: "sealed-secret" });
      after = expectDecision(verify(after, call, wrong, lockoutPolicy)).state;
    }
    expect(after.lockout).toMatchObject({ failedAttempts: 5, lockedUntil: now + 900_000 });
  });

  test("reports the refusals before it", () => {
    const error = { code: "user_locked", lockedUntil: now + minute } as const;
    let state = fullIdentity;
    for (let count = 0; count < 4; count += 1) {
      state = refuse(state, call, "otp.verified", error).state;
    }
    const { entries } = unlock(state, call);
    expect(describeEntries(entries)).toEqual([
      "otp.verified refused user_locked",
      "user.unlocked success",
    ]);
    expect(entries[0]?.details).toEqual({ count: 3 });
  });
});

describe("erasing", () => {
  const withRefusals = refuse(
    refuse(fullIdentity, call, "otp.verified", { code: "user_locked" }).state,
    call,
    "otp.verified",
    { code: "user_locked" },
  ).state;
  const { state, entries, result } = erase(withRefusals, callAt(now + 1));

  test("leaves a tombstone without personal data", () => {
    expect(result).toEqual({ ok: true, value: undefined });
    expect(state).toEqual({
      tenantId: fullIdentity.tenantId,
      identityId: fullIdentity.identityId,
      createdAt: fullIdentity.createdAt,
      updatedAt: now + 1,
      externalId: "",
      status: "erased",
      lastVerifiedAt: null,
      lastMethod: null,
      totp: null,
      pendingTotp: null,
      authenticators: [],
      lastAuthenticatorId: null,
      otpDisabled: false,
      backupCodes: null,
      passkeys: null,
      devices: [],
      lockout: buildIdentity().lockout,
      auditKey: null,
      refusals: [],
      recent: [],
      rates: {},
    });
    const stored = JSON.stringify(state);
    for (const personal of ["alexander", "sealed", "hash-"]) expect(stored).not.toContain(personal);
  });

  test("reports the earlier refusals and then the erasure, without naming the person", () => {
    expect(describeEntries(entries)).toEqual([
      "otp.verified refused user_locked",
      "user.erased success",
    ]);
    expect(entries[1]?.details).toEqual({ was_locked: true });
    expect(JSON.stringify(entries)).not.toContain("alexander");
  });
});

describe("a profile", () => {
  test("describes the identity and contains no secret", () => {
    const profile = profileOf(fullIdentity, now);
    expect(profile).toEqual({
      id: fullIdentity.identityId,
      externalId: "alexander@enterprise.com",
      tenantId: fullIdentity.tenantId,
      status: "locked",
      hasOtp: true,
      hasPasskeys: true,
      isLocked: true,
      failedAttempts: 55,
      lockedUntil: now + minute,
      backupCodesRemaining: 1,
      createdAt: fullIdentity.createdAt,
      updatedAt: fullIdentity.updatedAt,
      lastVerifiedAt: now - 7,
      otpStatus: "disabled",
      otpPending: true,
    });
    for (const secret of ["sealed", "hash-"]) expect(JSON.stringify(profile)).not.toContain(secret);
  });

  test.each([
    ["none", false, {}],
    ["pending", false, { pendingTotp: { sealed: "a", expiresAt: now + 1 } }],
    ["none", false, { pendingTotp: { sealed: "a", expiresAt: now } }],
    ["active", false, { totp: { sealed: "a", lastTimeStep: null } }],
    ["active", true, { ...fullIdentity, otpDisabled: false }],
    ["disabled", false, { otpDisabled: true }],
    ["disabled", true, fullIdentity],
  ] as const)(
    "shows that TOTP is %s, with another secret pending: %s",
    (status, pending, state) => {
      const profile = profileOf(buildIdentity({ totp: null, ...state }), now);
      expect([profile.otpStatus, profile.otpPending]).toEqual([status, pending]);
    },
  );

  test("that an older build kept as an answer is completed", () => {
    const profile = profileOf(fullIdentity, now);
    const { otpStatus: _status, otpPending: _pending, ...older } = profile;
    expect(completeProfile(older)).toEqual({ ...older, otpStatus: "active", otpPending: false });
    expect(completeProfile(profile)).toEqual(profile);
  });

  test("shows a lock until the millisecond in which it ends", () => {
    expect(profileOf(fullIdentity, now + minute - 1)).toMatchObject({
      status: "locked",
      isLocked: true,
    });
    expect(profileOf(fullIdentity, now + minute)).toMatchObject({
      status: "active",
      isLocked: false,
      lockedUntil: null,
      failedAttempts: 55,
    });
  });

  test("shows a suspension rather than a lock", () => {
    expect(profileOf({ ...fullIdentity, status: "suspended" }, now)).toMatchObject({
      status: "suspended",
      isLocked: true,
    });
    expect(statusOf("suspended", now + 1, now)).toBe("suspended");
    expect(statusOf("active", now + 1, now)).toBe("locked");
    expect(statusOf("active", now, now)).toBe("active");
    expect(statusOf("active", null, now)).toBe("active");
  });

  test("does not show a pending secret as configured", () => {
    expect(profileOf({ ...fullIdentity, totp: null }, now).hasOtp).toBe(false);
  });
});

describe("a stored state", () => {
  test("is parsed as it was written", () => {
    const full = refuse(fullIdentity, call, "session.assessed", { code: "user_suspended" }).state;
    for (const state of [
      full,
      buildIdentity(),
      erase(full, call).state,
      create(call, "😀", auditKey).state,
    ]) {
      expect(parseState(JSON.parse(JSON.stringify(state)))).toEqual(state);
    }
  });

  test.each([
    ["truncated", (text: string) => text.slice(0, -1)],
    ["empty", () => ""],
    ["null", () => "null"],
    ["without its counter", (text: string) => text.replace('"failedAttempts"', '"failed"')],
    ["with a counter that is text", (text: string) => text.replace('ttempts":55', 'ttempts":"55"')],
    ["with an unknown status", (text: string) => text.replace('"active"', '"maybe"')],
    ["without its lock", (text: string) => text.replace('"lockedUntil"', '"until"')],
  ])("is rejected when it is damaged: %s", (_, damage) => {
    const text = JSON.stringify(fullIdentity);
    expect(damage(text)).not.toBe(text);
    expect(() => parseState(JSON.parse(damage(text)))).toThrow();
  });
});

test("an erasure leaves no field that only a newer build knows, and releases the passkeys", () => {
  const passkeys = { credentials: [examplePasskey], spent: [], floor: 0 };
  const state = { ...buildIdentity({ passkeys }), nickname: "Alexander" };
  const erased = erase(state, call);
  expect(erased.state).not.toHaveProperty("nickname");
  expect(erased.state.passkeys).toBeNull();
  expect(erased.releasedClaims).toEqual([
    { passkeyId: examplePasskey.id, claimId: examplePasskey.claimId },
  ]);
});
