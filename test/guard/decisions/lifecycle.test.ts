import { describe, expect, test } from "vitest";
import { create, erase, setStatus, unlock } from "../../../src/guard/decisions/lifecycle.ts";
import { profileOf, statusOf } from "../../../src/guard/decisions/profile.ts";
import { refuse } from "../../../src/guard/decisions/refusals.ts";
import { parseState } from "../../../src/guard/decisions/state.ts";
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

const rich = identity({
  externalId: "alexander@enterprise.com",
  lastVerifiedAt: now - 7,
  totp: { sealed: "sealed-secret", lastTimeStep: step },
  pendingTotp: { sealed: "sealed-pending", expiresAt: now + minute },
  otpDisabled: true,
  backupCodes: { keyVersion: 3, unspent: ["hash-unspent"], spent: ["hash-spent"] },
  ...lockoutWith({ failedAttempts: 55, locks: 11, lockedUntil: now + minute }),
  recent: [{ at: now - 5, kind: "failure" }],
});

test("an identity begins active, with nothing configured and nothing counted", () => {
  const { state, entries, result } = create(call, "Alice");
  expect(state).toEqual({
    ...identity({ totp: null, auditKey: null }),
    externalId: "Alice",
    createdAt: now,
    updatedAt: now,
  });
  expect(told(entries)).toEqual(["user.provisioned success"]);
  expect(result).toEqual({
    ok: true,
    value: {
      id: call.identityId,
      externalId: "Alice",
      tenantId: call.tenantId,
      status: "active",
      hasOtp: false,
      isLocked: false,
      failedAttempts: 0,
      lockedUntil: null,
      backupCodesRemaining: 0,
      createdAt: now,
      updatedAt: now,
      lastVerifiedAt: null,
    },
  });
});

describe("suspending and reactivating", () => {
  test("change the status and nothing else", () => {
    const suspended = setStatus(rich, call, "suspended");
    expect(suspended.state).toEqual({ ...rich, status: "suspended", updatedAt: now });
    expect(told(suspended.entries)).toEqual(["user.suspended success"]);
    expect(suspended.result).toMatchObject({ value: { status: "suspended", updatedAt: now } });
    const back = setStatus(suspended.state, callAt(now + 1), "active");
    expect(back.state).toEqual({ ...rich, updatedAt: now + 1 });
    expect(told(back.entries)).toEqual(["user.reactivated success"]);
    expect(back.result).toMatchObject({ value: { status: "locked" } });
  });

  test.each([
    ["active", "user.reactivated success"],
    ["suspended", "user.suspended success"],
  ] as const)("are told in the trail also when it is %s already", (status, entry) => {
    const state = identity({ status });
    const transition = setStatus(state, call, status);
    expect(transition.state).toEqual({ ...state, updatedAt: now });
    expect(told(transition.entries)).toEqual([entry]);
    expect(transition.result).toMatchObject({ ok: true, value: { status } });
  });
});

describe("unlocking", () => {
  test("ends the lock and forgets the failures", () => {
    const { state, entries, result } = unlock(rich, call);
    expect(state).toEqual({ ...rich, lockout: identity().lockout, updatedAt: now });
    expect(told(entries)).toEqual(["user.unlocked success"]);
    expect(result).toMatchObject({
      ok: true,
      value: { status: "active", isLocked: false, failedAttempts: 0, lockedUntil: null },
    });
  });

  test("keeps a disabled TOTP disabled", () => {
    const { state } = unlock({ ...rich, pendingTotp: null }, call);
    expect(state.otpDisabled).toBe(true);
    const attempt = verify(state, call, totpEvidence({ step: step + 1 }), lockoutPolicy);
    expect(decided(attempt).result).toMatchObject({ error: { code: "otp_disabled" } });
  });

  test("keeps spent steps spent, and a suspended user suspended", () => {
    const { state } = unlock({ ...rich, status: "suspended" }, call);
    expect(state.totp?.lastTimeStep).toBe(step);
    expect(state.status).toBe("suspended");
  });

  test("gives the whole five attempts and the first lock's length again", () => {
    const { state } = unlock({ ...rich, otpDisabled: false, pendingTotp: null }, call);
    let after = state;
    for (let count = 0; count < 5; count += 1) {
      const wrong = totpEvidence({ sealed: "sealed-secret" });
      after = decided(verify(after, call, wrong, lockoutPolicy)).state;
    }
    expect(after.lockout).toMatchObject({ failedAttempts: 5, lockedUntil: now + 900_000 });
  });

  test("tells what was refused before it", () => {
    const error = { code: "user_locked", lockedUntil: now + minute } as const;
    let state = rich;
    for (let count = 0; count < 4; count += 1) {
      state = refuse(state, call, "otp.verified", error).state;
    }
    const { entries } = unlock(state, call);
    expect(told(entries)).toEqual(["otp.verified refused user_locked", "user.unlocked success"]);
    expect(entries[0]?.details).toEqual({ count: 3 });
  });
});

describe("erasing", () => {
  const flooded = refuse(
    refuse(rich, call, "otp.verified", { code: "user_locked" }).state,
    call,
    "otp.verified",
    { code: "user_locked" },
  ).state;
  const { state, entries, result } = erase(flooded, callAt(now + 1));

  test("leaves a tombstone and nothing of the person", () => {
    expect(result).toEqual({ ok: true, value: undefined });
    expect(state).toEqual({
      tenantId: rich.tenantId,
      identityId: rich.identityId,
      createdAt: rich.createdAt,
      updatedAt: now + 1,
      externalId: "",
      status: "erased",
      lastVerifiedAt: null,
      totp: null,
      pendingTotp: null,
      otpDisabled: false,
      backupCodes: null,
      lockout: identity().lockout,
      auditKey: null,
      refusals: [],
      recent: [],
      rates: {},
    });
    const stored = JSON.stringify(state);
    for (const personal of ["alexander", "sealed", "hash-"]) expect(stored).not.toContain(personal);
  });

  test("tells what was refused before, then the erasure, without naming the person", () => {
    expect(told(entries)).toEqual(["otp.verified refused user_locked", "user.erased success"]);
    expect(entries[1]?.details).toEqual({ was_locked: true });
    expect(JSON.stringify(entries)).not.toContain("alexander");
  });
});

describe("a profile", () => {
  test("says what is and keeps every secret", () => {
    const profile = profileOf(rich, now);
    expect(profile).toEqual({
      id: rich.identityId,
      externalId: "alexander@enterprise.com",
      tenantId: rich.tenantId,
      status: "locked",
      hasOtp: true,
      isLocked: true,
      failedAttempts: 55,
      lockedUntil: now + minute,
      backupCodesRemaining: 1,
      createdAt: rich.createdAt,
      updatedAt: rich.updatedAt,
      lastVerifiedAt: now - 7,
    });
    for (const secret of ["sealed", "hash-"]) expect(JSON.stringify(profile)).not.toContain(secret);
  });

  test("knows no lock from the millisecond on in which it runs out", () => {
    expect(profileOf(rich, now + minute - 1)).toMatchObject({ status: "locked", isLocked: true });
    expect(profileOf(rich, now + minute)).toMatchObject({
      status: "active",
      isLocked: false,
      lockedUntil: null,
      failedAttempts: 55,
    });
  });

  test("puts a suspension over a lock", () => {
    expect(profileOf({ ...rich, status: "suspended" }, now)).toMatchObject({
      status: "suspended",
      isLocked: true,
    });
    expect(statusOf("suspended", now + 1, now)).toBe("suspended");
    expect(statusOf("active", now + 1, now)).toBe("locked");
    expect(statusOf("active", now, now)).toBe("active");
    expect(statusOf("active", null, now)).toBe("active");
  });

  test("does not take a pending secret for a configured one", () => {
    expect(profileOf({ ...rich, totp: null }, now).hasOtp).toBe(false);
  });
});

describe("a stored state", () => {
  test("is read back as it was written", () => {
    const full = refuse(rich, call, "session.assessed", { code: "user_suspended" }).state;
    for (const state of [full, identity(), erase(full, call).state, create(call, "😀").state]) {
      expect(parseState(JSON.stringify(state))).toEqual(state);
    }
  });

  test.each([
    ["cut short", (text: string) => text.slice(0, -1)],
    ["empty", () => ""],
    ["null", () => "null"],
    ["without its counter", (text: string) => text.replace('"failedAttempts"', '"failed"')],
    ["with a counter that is text", (text: string) => text.replace('ttempts":55', 'ttempts":"55"')],
    ["with an unknown status", (text: string) => text.replace('"active"', '"maybe"')],
    ["without its lock", (text: string) => text.replace('"lockedUntil"', '"until"')],
  ])("is never taken for another when it is damaged: %s", (_, damage) => {
    const text = JSON.stringify(rich);
    expect(damage(text)).not.toBe(text);
    expect(() => parseState(damage(text))).toThrow();
  });
});
