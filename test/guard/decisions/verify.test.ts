import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import {
  confirmableTotpOf,
  type Evidence,
  liveTotpOf,
  stale,
  verify,
} from "../../../src/guard/decisions/verify.ts";
import {
  backupEvidence,
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

function verified(state: IdentityState, evidence: Evidence, at = call) {
  return decided(verify(state, at, evidence, lockoutPolicy));
}

const pending = { sealed: "sealed-2", expiresAt: now + minute };
const codes = { keyVersion: 1, unspent: ["aa", "bb", "cc"], spent: ["dd"] };
const rightTotp = totpEvidence({ step });
const wrongTotp = totpEvidence();

describe("a code is refused and not evaluated", () => {
  const both: readonly (readonly [string, Evidence])[] = [
    ["a right TOTP code", rightTotp],
    ["a wrong TOTP code", wrongTotp],
    ["a right backup code", backupEvidence("aa")],
    ["a wrong backup code", backupEvidence("ee")],
    ["a code without evidence", { method: "totp", withheld: true }],
  ];

  test.each(both)("while the user is suspended: %s", (_, evidence) => {
    const state = identity({ status: "suspended", backupCodes: codes });
    const { state: after, result, entries } = verified(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "user_suspended" } });
    expect(told(entries)).toEqual(["otp.verified refused user_suspended"]);
    expect({ ...after, refusals: [], recent: [] }).toEqual(state);
  });

  test.each(both)("while the user is locked: %s", (_, evidence) => {
    const state = identity({
      backupCodes: codes,
      ...lockoutWith({ failedAttempts: 5, locks: 1, lockedUntil: now + 1 }),
    });
    const { state: after, result, entries } = verified(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "user_locked", lockedUntil: now + 1 } });
    expect(told(entries)).toEqual(["otp.verified refused user_locked"]);
    expect({ ...after, refusals: [], recent: [] }).toEqual(state);
  });

  test.each(both)("while TOTP is disabled: %s", (_, evidence) => {
    const state = identity({
      otpDisabled: true,
      backupCodes: codes,
      ...lockoutWith({ failedAttempts: 100, locks: 20, lockedUntil: now }),
    });
    const { state: after, result } = verified(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "otp_disabled", lockedUntil: null } });
    expect({ ...after, refusals: [], recent: [] }).toEqual(state);
  });

  test.each(both)("while nothing is configured: %s", (_, evidence) => {
    const { state: after, result } = verified(identity({ totp: null }), evidence);
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
    expect(after.lockout.failedAttempts).toBe(0);
  });

  test("for the suspension first, then for the lock, then for the disabling", () => {
    const lock = lockoutWith({ failedAttempts: 100, locks: 20, lockedUntil: now + 1 });
    const codeOf = (state: IdentityState) => {
      const { result } = verified(state, rightTotp);
      return result.ok ? "accepted" : result.error.code;
    };
    const all = identity({ status: "suspended", otpDisabled: true, ...lock });
    expect(codeOf(all)).toBe("user_suspended");
    expect(codeOf({ ...all, status: "active" })).toBe("user_locked");
    expect(codeOf({ ...all, status: "active", ...lockoutWith({}) })).toBe("otp_disabled");
  });

  test("when it is a TOTP code and there are only backup codes", () => {
    const state = identity({ totp: null, backupCodes: codes });
    const { result } = verified(state, totpEvidence({ sealed: null }));
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
  });

  test("when it is of a pending secret that has run out", () => {
    const state = identity({ totp: null, pendingTotp: { ...pending, expiresAt: now } });
    const evidence = totpEvidence({ sealed: null, pendingSealed: "sealed-2", pendingStep: step });
    const { result, state: after } = verified(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
    expect(after.totp).toBeNull();
  });

  test("is refused no longer from the millisecond on in which the lock runs out", () => {
    const state = identity(lockoutWith({ failedAttempts: 5, locks: 1, lockedUntil: now }));
    expect(verified(state, rightTotp).result).toEqual({ ok: true, value: { method: "totp" } });
  });
});

describe("a right TOTP code", () => {
  test("is accepted, spends its step and ends the failures", () => {
    const state = identity(
      lockoutWith({ failedAttempts: 7, failuresThisRound: 2, locks: 1, lockedUntil: now - 1 }),
    );
    const { state: after, entries, result } = verified(state, rightTotp);
    expect(result).toEqual({ ok: true, value: { method: "totp" } });
    expect(told(entries)).toEqual(["otp.verified success"]);
    expect(entries[0]?.details).toEqual({ method: "totp" });
    expect(after).toEqual({
      ...state,
      totp: { sealed: "sealed-1", lastTimeStep: step },
      lockout: identity().lockout,
      lastVerifiedAt: now,
      updatedAt: now,
      recent: [{ at: now, kind: "success" }],
    });
  });

  test.each([-1, 0, 1])("of the present step %i away is accepted once", (away) => {
    const evidence = totpEvidence({ step: step + away });
    const { state } = verified(identity(), evidence);
    expect(state.totp?.lastTimeStep).toBe(step + away);
    const again = verified(state, evidence);
    expect(again.result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
  });

  test("is refused for good when its step, or a later one, was accepted before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: step + 1 }),
        fc.integer({ min: 0, max: step + 1 }),
        (last, shown) => {
          const state = identity({ totp: { sealed: "sealed-1", lastTimeStep: last } });
          const { result, state: after } = verified(state, totpEvidence({ step: shown }));
          expect(result.ok).toBe(shown > last);
          expect(after.totp?.lastTimeStep).toBe(Math.max(last, shown));
        },
      ),
    );
  });

  test("replayed counts as a failure and looks like any other to the client", () => {
    const state = identity({ totp: { sealed: "sealed-1", lastTimeStep: step } });
    const replayed = verified(state, totpEvidence({ step: step - 1 }));
    const wrong = verified(state, wrongTotp);
    expect(replayed.result).toEqual(wrong.result);
    expect(replayed.state).toEqual(wrong.state);
    expect(replayed.state.lockout.failedAttempts).toBe(1);
    expect(told(replayed.entries)).toEqual(["otp.verified failure replayed_code"]);
    expect(told(wrong.entries)).toEqual(["otp.verified failure invalid_code"]);
  });
});

describe("a wrong code", () => {
  test("is counted, and the answer says how many attempts remain", () => {
    const { state: after, entries, result } = verified(identity(), wrongTotp);
    expect(result).toEqual({
      ok: false,
      error: { code: "invalid_code", attemptsRemaining: 4, lockedUntil: null },
    });
    expect(after).toEqual({
      ...identity(),
      ...lockoutWith({ failedAttempts: 1, failuresThisRound: 1 }),
      updatedAt: now,
      recent: [{ at: now, kind: "failure" }],
    });
    expect(entries[0]?.details).toEqual({ method: "totp", failed_attempts: 1 });
  });

  test("locks when it is the fifth, whatever the factors", () => {
    let state = identity({ backupCodes: codes });
    for (const evidence of [wrongTotp, backupEvidence("ee"), backupEvidence("dd"), wrongTotp]) {
      state = verified(state, evidence).state;
      expect(state.lockout.lockedUntil).toBeNull();
    }
    const { state: after, entries, result } = verified(state, backupEvidence("ff"));
    expect(result).toEqual({
      ok: false,
      error: { code: "invalid_code", attemptsRemaining: 0, lockedUntil: now + 900_000 },
    });
    expect(after.lockout).toMatchObject({ failedAttempts: 5, locks: 1 });
    expect(told(entries)).toEqual([
      "otp.verified failure invalid_code",
      "user.locked success too_many_failures",
    ]);
    expect(entries[1]?.details).toEqual({
      locks: 1,
      locked_until: new Date(now + 900_000).toISOString(),
    });
  });

  test("disables when it is the hundredth, and the pending secret dies with it", () => {
    const state = identity({
      pendingTotp: pending,
      backupCodes: codes,
      ...lockoutWith({ failedAttempts: 99, failuresThisRound: 4, locks: 19 }),
    });
    const evidence = totpEvidence({ pendingSealed: "sealed-2" });
    const { state: after, entries } = verified(state, evidence);
    expect(after).toMatchObject({ otpDisabled: true, pendingTotp: null });
    expect(after.lockout).toMatchObject({ failedAttempts: 100, locks: 20 });
    expect(told(entries)).toEqual([
      "otp.verified failure invalid_code",
      "user.locked success too_many_failures",
      "otp.disabled success too_many_failures",
    ]);
    const afterLock = callAt(now + 24 * 60 * minute);
    for (const right of [rightTotp, backupEvidence("aa")]) {
      expect(verified(after, right, afterLock).result).toEqual({
        ok: false,
        error: { code: "otp_disabled", lockedUntil: null },
      });
    }
  });

  test("ends the run of refusals before it, and tells them first", () => {
    const state = identity(lockoutWith({ failedAttempts: 5, locks: 1, lockedUntil: now }));
    let refused = state;
    for (const early of [3, 2, 1]) {
      refused = verified(refused, wrongTotp, callAt(now - early)).state;
    }
    const { entries, state: after } = verified(refused, wrongTotp);
    expect(told(entries)).toEqual([
      "otp.verified refused user_locked",
      "otp.verified failure invalid_code",
    ]);
    expect(entries[0]?.details).toEqual({ count: 2 });
    expect(after.refusals).toEqual([]);
    expect(after.lockout.failedAttempts).toBe(6);
  });
});

describe("a pending secret", () => {
  const state = identity({
    totp: { sealed: "sealed-1", lastTimeStep: step + 1 },
    pendingTotp: pending,
  });

  test("becomes the live one with its first accepted code", () => {
    const evidence = totpEvidence({ pendingSealed: "sealed-2", pendingStep: step });
    const { state: after, entries, result } = verified(state, evidence);
    expect(result).toEqual({ ok: true, value: { method: "totp" } });
    expect(after.totp).toEqual({ sealed: "sealed-2", lastTimeStep: step });
    expect(after.pendingTotp).toBeNull();
    expect(told(entries)).toEqual(["otp.verified success", "otp.confirmed success"]);
    const replay = verified(after, totpEvidence({ sealed: "sealed-2", step }));
    expect(replay.result.ok).toBe(false);
  });

  test("leaves the old one live until then", () => {
    const old = identity({ pendingTotp: pending });
    const evidence = totpEvidence({ pendingSealed: "sealed-2", step });
    const { state: after, entries } = verified(old, evidence);
    expect(after.totp).toEqual({ sealed: "sealed-1", lastTimeStep: step });
    expect(after.pendingTotp).toEqual(pending);
    expect(told(entries)).toEqual(["otp.verified success"]);
  });

  test("can be the first one of an identity", () => {
    const evidence = totpEvidence({ sealed: null, pendingSealed: "sealed-2", pendingStep: step });
    const { state: after } = verified(identity({ totp: null, pendingTotp: pending }), evidence);
    expect(after.totp).toEqual({ sealed: "sealed-2", lastTimeStep: step });
  });

  test("brings a disabled TOTP back to life, and only it: the old secret is dead", () => {
    const disabled = identity({ otpDisabled: true, pendingTotp: pending, backupCodes: codes });
    const evidence = totpEvidence({ sealed: null, pendingSealed: "sealed-2", pendingStep: step });
    const { state: after, result } = verified(disabled, evidence);
    expect(result.ok).toBe(true);
    expect(after).toMatchObject({
      otpDisabled: false,
      totp: { sealed: "sealed-2", lastTimeStep: step },
      pendingTotp: null,
    });
    expect(verify(disabled, call, totpEvidence({ step }), lockoutPolicy)).toBe(stale);
    expect(verified(disabled, backupEvidence("aa")).result).toMatchObject({
      error: { code: "otp_disabled" },
    });
  });

  test("is live to its last millisecond and not one longer", () => {
    expect(confirmableTotpOf(state, pending.expiresAt - 1)).toEqual(pending);
    expect(confirmableTotpOf(state, pending.expiresAt)).toBeNull();
    const late = callAt(pending.expiresAt);
    const { result, state: after } = verified(state, wrongTotp, late);
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
    expect(after.totp).toEqual(state.totp);
  });
});

describe("a backup code", () => {
  const state = identity({
    backupCodes: codes,
    ...lockoutWith({ failedAttempts: 3, failuresThisRound: 3 }),
  });

  test("is accepted once, and the answer says how many remain", () => {
    const { state: after, entries, result } = verified(state, backupEvidence("bb"));
    expect(result).toEqual({ ok: true, value: { method: "backup_code", backupCodesRemaining: 2 } });
    expect(after.backupCodes).toEqual({
      keyVersion: 1,
      unspent: ["aa", "cc"],
      spent: ["dd", "bb"],
    });
    expect(after.lockout).toEqual(identity().lockout);
    expect(after.lastVerifiedAt).toBe(now);
    expect(told(entries)).toEqual(["otp.verified success"]);
    const again = verified(after, backupEvidence("bb"));
    expect(again.result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
    expect(again.state.backupCodes).toEqual(after.backupCodes);
  });

  test("that is spent counts as a failure and looks like any other to the client", () => {
    const spent = verified(state, backupEvidence("dd"));
    const wrong = verified(state, backupEvidence("ee"));
    expect(spent.result).toEqual(wrong.result);
    expect(spent.state).toEqual(wrong.state);
    expect(spent.state.lockout.failedAttempts).toBe(4);
    expect(told(spent.entries)).toEqual(["otp.verified failure spent_code"]);
    expect(told(wrong.entries)).toEqual(["otp.verified failure invalid_code"]);
  });

  test("serves without TOTP", () => {
    const only = identity({ totp: null, backupCodes: codes });
    expect(verified(only, backupEvidence("aa")).result.ok).toBe(true);
  });

  test("of nobody is a counted failure where there is TOTP but no set", () => {
    const { result, state: after } = verified(identity(), backupEvidence(null, null));
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
    expect(after.lockout.failedAttempts).toBe(1);
  });

  test("that is the last leaves a set of none", () => {
    const last = identity({ backupCodes: { keyVersion: 1, unspent: ["aa"], spent: [] } });
    const { state: after, result } = verified(last, backupEvidence("aa"));
    expect(result).toMatchObject({ ok: true, value: { backupCodesRemaining: 0 } });
    expect(after.backupCodes).toEqual({ keyVersion: 1, unspent: [], spent: ["aa"] });
  });
});

describe("evidence is stale, and nothing is decided, when meanwhile", () => {
  const at = identity({ pendingTotp: pending, backupCodes: codes });
  const gathered = totpEvidence({ pendingSealed: "sealed-2", step });

  test("nothing changed: then it is not", () => {
    expect(verify(at, call, gathered, lockoutPolicy)).not.toBe(stale);
    expect(verify(at, call, backupEvidence("aa"), lockoutPolicy)).not.toBe(stale);
  });

  const cases: readonly (readonly [string, IdentityState, Evidence])[] = [
    [
      "the secret was replaced",
      { ...at, totp: { sealed: "sealed-3", lastTimeStep: null } },
      gathered,
    ],
    ["the secret was removed and only the pending one is left", { ...at, totp: null }, gathered],
    ["the first secret came", identity(), totpEvidence({ sealed: null, step: undefined })],
    [
      "the pending secret was replaced",
      { ...at, pendingTotp: { ...pending, sealed: "sealed-3" } },
      gathered,
    ],
    ["the pending secret was confirmed or removed", { ...at, pendingTotp: null }, gathered],
    [
      "the pending secret ran out",
      { ...at, pendingTotp: { ...pending, expiresAt: now } },
      gathered,
    ],
    ["a pending secret came", at, totpEvidence({ step })],
    ["TOTP was disabled", { ...at, otpDisabled: true }, gathered],
    ["the backup codes came", at, backupEvidence(null, null)],
    ["the backup codes were removed", { ...at, backupCodes: null }, backupEvidence("aa")],
    [
      "the backup codes were made anew under another key",
      { ...at, backupCodes: { ...codes, keyVersion: 2 } },
      backupEvidence("aa"),
    ],
    ["the rule that withheld it fell", at, { method: "totp", withheld: true }],
    ["the rule that withheld the other factor fell", at, { method: "backup_code", withheld: true }],
  ];

  test.each(cases)("%s", (_, state, evidence) => {
    expect(verify(state, call, evidence, lockoutPolicy)).toBe(stale);
  });

  test("a new set under the same key came: then it is judged by the new set", () => {
    const anew = { ...at, backupCodes: { keyVersion: 1, unspent: ["xx"], spent: [] } };
    const { result } = verified(anew, backupEvidence("aa"));
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
  });
});

test("the live secret is none while TOTP is disabled", () => {
  expect(liveTotpOf(identity())).toEqual({ sealed: "sealed-1", lastTimeStep: null });
  expect(liveTotpOf(identity({ otpDisabled: true }))).toBeNull();
  expect(liveTotpOf(identity({ totp: null }))).toBeNull();
});
