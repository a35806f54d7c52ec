import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findSecrets } from "../../../src/guard/decisions/evaluate-totp.ts";
import { stale } from "../../../src/guard/decisions/evaluation.ts";
import { type IdentityState, parseState } from "../../../src/guard/decisions/state.ts";
import { type Evidence, verify } from "../../../src/guard/decisions/verify.ts";
import {
  buildBackupEvidence,
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

function verifyEvidence(state: IdentityState, evidence: Evidence, guardCall = call) {
  return expectDecision(verify(state, guardCall, evidence, lockoutPolicy));
}

const pending = { sealed: "sealed-2", expiresAt: now + minute };
const codes = { keyVersion: 1, unspent: ["aa", "bb", "cc"], spent: ["dd"] };
const rightTotp = buildTotpEvidence({ step });
const wrongTotp = buildTotpEvidence();

describe("a code is refused and not evaluated", () => {
  const codesOfBothMethods: readonly (readonly [string, Evidence])[] = [
    ["a right TOTP code", rightTotp],
    ["a wrong TOTP code", wrongTotp],
    ["a right backup code", buildBackupEvidence("aa")],
    ["a wrong backup code", buildBackupEvidence("ee")],
    ["a code without evidence", { method: "totp", withheld: true }],
  ];

  test.each(codesOfBothMethods)("while the user is suspended: %s", (_, evidence) => {
    const state = buildIdentity({ status: "suspended", backupCodes: codes });
    const { state: after, result, entries } = verifyEvidence(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "user_suspended" } });
    expect(describeEntries(entries)).toEqual(["otp.verified refused user_suspended"]);
    expect({ ...after, refusals: [], recent: [] }).toEqual(state);
  });

  test.each(codesOfBothMethods)("while the user is locked: %s", (_, evidence) => {
    const state = buildIdentity({
      backupCodes: codes,
      ...buildLockout({ failedAttempts: 5, locks: 1, lockedUntil: now + 1 }),
    });
    const { state: after, result, entries } = verifyEvidence(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "user_locked", lockedUntil: now + 1 } });
    expect(describeEntries(entries)).toEqual(["otp.verified refused user_locked"]);
    expect({ ...after, refusals: [], recent: [] }).toEqual(state);
  });

  test.each(codesOfBothMethods)("while TOTP is disabled: %s", (_, evidence) => {
    const state = buildIdentity({
      otpDisabled: true,
      backupCodes: codes,
      ...buildLockout({ failedAttempts: 100, locks: 20, lockedUntil: now }),
    });
    const { state: after, result } = verifyEvidence(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "otp_disabled", lockedUntil: null } });
    expect({ ...after, refusals: [], recent: [] }).toEqual(state);
  });

  test.each(codesOfBothMethods)("while nothing is configured: %s", (_, evidence) => {
    const { state: after, result } = verifyEvidence(buildIdentity({ totp: null }), evidence);
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
    expect(after.lockout.failedAttempts).toBe(0);
  });

  test("first because of the suspension, then because of the lock, then because TOTP is disabled", () => {
    const lock = buildLockout({ failedAttempts: 100, locks: 20, lockedUntil: now + 1 });
    const codeOf = (state: IdentityState) => {
      const { result } = verifyEvidence(state, rightTotp);
      return result.ok ? "accepted" : result.error.code;
    };
    const all = buildIdentity({ status: "suspended", otpDisabled: true, ...lock });
    expect(codeOf(all)).toBe("user_suspended");
    expect(codeOf({ ...all, status: "active" })).toBe("user_locked");
    expect(codeOf({ ...all, status: "active", ...buildLockout({}) })).toBe("otp_disabled");
  });

  test("when it is a TOTP code and the user has only backup codes", () => {
    const state = buildIdentity({ totp: null, backupCodes: codes });
    const { result } = verifyEvidence(state, buildTotpEvidence({ sealed: null }));
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
  });

  test("when it belongs to a pending secret that has expired", () => {
    const state = buildIdentity({ totp: null, pendingTotp: { ...pending, expiresAt: now } });
    const evidence = buildTotpEvidence({
      sealed: null,
      pendingSealed: "sealed-2",
      pendingStep: step,
    });
    const { result, state: after } = verifyEvidence(state, evidence);
    expect(result).toEqual({ ok: false, error: { code: "otp_not_configured" } });
    expect(after.totp).toBeNull();
  });

  test("until the millisecond in which the lock ends", () => {
    const state = buildIdentity(buildLockout({ failedAttempts: 5, locks: 1, lockedUntil: now }));
    expect(verifyEvidence(state, rightTotp).result).toEqual({
      ok: true,
      value: { method: "totp" },
    });
  });
});

describe("a right TOTP code", () => {
  test("keeps the name of its secret, which is sealed again later", () => {
    const id = "01a2279b48deb7d3b88625c1";
    const totp = { sealed: "sealed-1", lastTimeStep: step - 1, id };
    const { state, entries } = verifyEvidence(buildIdentity({ totp }), buildTotpEvidence({ step }));
    expect(state.totp).toEqual({ ...totp, lastTimeStep: step, lastUsedAt: now });
    expect(entries[0]?.accepted).toEqual({ secretId: id, timeStep: step });
  });

  test("is accepted, spends its step and resets the failures", () => {
    const state = buildIdentity(
      buildLockout({ failedAttempts: 7, failuresThisRound: 2, locks: 1, lockedUntil: now - 1 }),
    );
    const { state: after, entries, result } = verifyEvidence(state, rightTotp);
    expect(result).toEqual({ ok: true, value: { method: "totp" } });
    expect(describeEntries(entries)).toEqual(["otp.verified success"]);
    expect(entries[0]?.details).toEqual({ method: "totp" });
    expect(entries[0]?.accepted).toEqual({ secretId: after.totp?.id, timeStep: step });
    expect(after).toEqual({
      ...state,
      totp: { sealed: "sealed-1", lastTimeStep: step, lastUsedAt: now, id: expect.any(String) },
      lockout: buildIdentity().lockout,
      lastVerifiedAt: now,
      lastMethod: "totp",
      updatedAt: now,
      recent: [{ at: now, kind: "success" }],
    });
  });

  test.each([-1, 0, 1])("is accepted once for the step at offset %i", (offset) => {
    const evidence = buildTotpEvidence({ step: step + offset });
    const { state } = verifyEvidence(buildIdentity(), evidence);
    expect(state.totp?.lastTimeStep).toBe(step + offset);
    const again = verifyEvidence(state, evidence);
    expect(again.result).toMatchObject({ ok: false, error: { code: "code_already_used" } });
  });

  test("is rejected if its step or a later one was accepted before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: step + 1 }),
        fc.integer({ min: 0, max: step + 1 }),
        (last, shown) => {
          const state = buildIdentity({ totp: { sealed: "sealed-1", lastTimeStep: last } });
          const { result, state: after } = verifyEvidence(
            state,
            buildTotpEvidence({ step: shown }),
          );
          expect(result.ok).toBe(shown > last);
          expect(after.totp?.lastTimeStep).toBe(Math.max(last, shown));
        },
      ),
    );
  });

  test("counts as a failure when it is replayed, and the answer is the same as for a wrong code", () => {
    const state = buildIdentity({ totp: { sealed: "sealed-1", lastTimeStep: step } });
    const replayed = verifyEvidence(state, buildTotpEvidence({ step: step - 1 }));
    const wrong = verifyEvidence(state, wrongTotp);
    expect(replayed.result).toEqual(wrong.result);
    expect(replayed.state).toEqual(wrong.state);
    expect(replayed.state.lockout.failedAttempts).toBe(1);
    expect(describeEntries(replayed.entries)).toEqual(["otp.verified failure replayed_code"]);
    expect(describeEntries(wrong.entries)).toEqual(["otp.verified failure invalid_code"]);
  });
});

describe("the code accepted last", () => {
  const totp = { sealed: "sealed-1", lastTimeStep: step };
  const backupCodes = { keyVersion: 1, unspent: ["aa"], spent: ["bb", "cc"] };
  const failures = buildLockout({ failedAttempts: 3, failuresThisRound: 3 });
  const state = buildIdentity({ totp, backupCodes, lastMethod: "totp", ...failures });
  const used = {
    ok: false,
    error: { code: "code_already_used", attemptsRemaining: lockoutPolicy.maxFailedAttempts - 3 },
  };

  test.each([
    ["in its window", buildTotpEvidence({ step, lastTimeStep: step, isLastCode: true })],
    ["after its window", buildTotpEvidence({ lastTimeStep: step, isLastCode: true })],
    ["that another request accepted meanwhile", buildTotpEvidence({ step })],
  ])("counts no failure %s, and is reported as a refusal", (_, evidence) => {
    const { result, entries, state: after } = verifyEvidence(state, evidence);
    expect(result).toEqual(used);
    expect(describeEntries(entries)).toEqual(["otp.verified refused code_already_used"]);
    expect(after).toEqual({ ...state, refusals: after.refusals, recent: after.recent });
    const again = verifyEvidence(after, evidence);
    expect(again.entries).toEqual([]);
    expect(again.state.refusals[0]?.unreported).toBe(1);
  });

  test("is the last backup code if that was accepted last", () => {
    const backup = { ...state, lastMethod: "backup_code" } as const;
    expect(verifyEvidence(backup, buildBackupEvidence("cc")).result).toEqual(used);
    for (const evidence of [
      buildBackupEvidence("bb"),
      buildTotpEvidence({ step, lastTimeStep: step, isLastCode: true }),
    ]) {
      const { result } = verifyEvidence(backup, evidence);
      expect(result).toMatchObject({ error: { code: "invalid_code", attemptsRemaining: 1 } });
    }
  });

  test("is no backup code if a TOTP code was accepted last", () => {
    const { result } = verifyEvidence(state, buildBackupEvidence("cc"));
    expect(result).toMatchObject({ error: { code: "invalid_code", attemptsRemaining: 1 } });
  });

  test("is not known in a state of an older build, which does not say what was accepted last", () => {
    const { lastMethod: _, ...older } = state;
    const read = parseState(JSON.parse(JSON.stringify(older)));
    const evidence = buildTotpEvidence({ step, lastTimeStep: step, isLastCode: true });
    expect(verifyEvidence(read, evidence).result).toMatchObject({
      error: { code: "invalid_code", attemptsRemaining: 1 },
    });
  });

  test("is compared again if another code was accepted meanwhile", () => {
    const evidence = buildTotpEvidence({ lastTimeStep: step - 5, isLastCode: true });
    expect(verify(state, call, evidence, lockoutPolicy)).toBe(stale);
  });

  test.each([
    ["user_suspended", { ...state, status: "suspended" }],
    ["user_locked", { ...state, lockout: { ...state.lockout, lockedUntil: now + 1 } }],
    ["otp_disabled", { ...state, otpDisabled: true }],
  ] as const)("gives way to %s", (code, refusing) => {
    const evidence = buildTotpEvidence({ step, lastTimeStep: step, isLastCode: true });
    expect(verifyEvidence(refusing, evidence).result).toMatchObject({ error: { code } });
  });
});

describe("a code that is to confirm", () => {
  const pendingTotp = { sealed: "sealed-2", expiresAt: now + minute };
  const backupCodes = { keyVersion: 1, unspent: ["aa"], spent: [] };
  const state = buildIdentity({ pendingTotp, backupCodes });
  const confirm = (identity: IdentityState, evidence: Evidence) =>
    expectDecision(verify(identity, call, evidence, lockoutPolicy, "confirm"));

  test("is refused without a pending secret, or after the pending secret expired", () => {
    const expired = { ...state, pendingTotp: { ...pendingTotp, expiresAt: now } };
    for (const identity of [buildIdentity(), buildIdentity({ totp: null }), expired]) {
      const { result, entries, state: after } = confirm(identity, buildTotpEvidence({ step }));
      expect(result).toEqual({ ok: false, error: { code: "no_pending_enrolment" } });
      expect(describeEntries(entries)).toEqual(["otp.verified refused no_pending_enrolment"]);
      expect(after.lockout).toEqual(identity.lockout);
    }
  });

  test("is accepted only if it is a code of the pending secret", () => {
    const evidence = { sealed: null, pendingSealed: "sealed-2" };
    const right = confirm(state, buildTotpEvidence({ ...evidence, pendingStep: step }));
    expect(right.result).toMatchObject({ ok: true, value: { enrolmentConfirmed: true } });
    for (const wrong of [buildTotpEvidence(evidence), buildBackupEvidence("aa")]) {
      const { result, state: after } = confirm(state, wrong);
      expect(result).toMatchObject({ error: { code: "invalid_code", attemptsRemaining: 4 } });
      expect(after).toMatchObject({ totp: state.totp, pendingTotp, backupCodes });
    }
  });
});

test.each([
  ["accepted", null, step],
  ["wrong", step, undefined],
  ["replayed", step, step - 1],
  ["already used", step, step],
  ["refused because of a lock", null, step],
])("the event of a code that is %s names the session", (kind, lastTimeStep, shown) => {
  const isLocked = kind === "refused because of a lock";
  const lockout = buildLockout(isLocked ? { lockedUntil: now + minute } : {});
  const totp = { sealed: "sealed-1", lastTimeStep };
  const state = buildIdentity({ totp, lastMethod: "totp", ...lockout });
  const session = { assessmentId: "a", address: "192.0.2.1", agent: "Agent/1.0" };
  const evidence = buildTotpEvidence({ step: shown, lastTimeStep });
  const { entries, state: after } = verifyEvidence(state, evidence, { ...call, session });
  expect(entries[0]).toMatchObject({
    details: { assessment_id: "a" },
    session: { address: "192.0.2.1", agent: "Agent/1.0" },
  });
  // The state keeps no session that an event has reported.
  expect(JSON.stringify(after)).not.toContain("192.0.2.1");
});

describe("a wrong code", () => {
  test("is counted, and the answer contains the remaining attempts", () => {
    const { state: after, entries, result } = verifyEvidence(buildIdentity(), wrongTotp);
    expect(result).toEqual({
      ok: false,
      error: { code: "invalid_code", attemptsRemaining: 4, lockedUntil: null },
    });
    expect(after).toEqual({
      ...buildIdentity(),
      ...buildLockout({ failedAttempts: 1, failuresThisRound: 1 }),
      updatedAt: now,
      recent: [{ at: now, kind: "failure" }],
    });
    expect(entries[0]?.details).toEqual({ method: "totp", failed_attempts: 1 });
  });

  test("locks when it is the fifth, across all factors", () => {
    let state = buildIdentity({ backupCodes: codes });
    for (const evidence of [
      wrongTotp,
      buildBackupEvidence("ee"),
      buildBackupEvidence("dd"),
      wrongTotp,
    ]) {
      state = verifyEvidence(state, evidence).state;
      expect(state.lockout.lockedUntil).toBeNull();
    }
    const { state: after, entries, result } = verifyEvidence(state, buildBackupEvidence("ff"));
    expect(result).toEqual({
      ok: false,
      error: { code: "invalid_code", attemptsRemaining: 0, lockedUntil: now + 900_000 },
    });
    expect(after.lockout).toMatchObject({ failedAttempts: 5, locks: 1 });
    expect(describeEntries(entries)).toEqual([
      "otp.verified failure invalid_code",
      "user.locked success too_many_failures",
    ]);
    expect(entries[1]?.details).toEqual({
      locks: 1,
      locked_until: new Date(now + 900_000).toISOString(),
    });
  });

  test("disables TOTP when it is the hundredth, and deletes the pending secret", () => {
    const state = buildIdentity({
      pendingTotp: pending,
      backupCodes: codes,
      ...buildLockout({ failedAttempts: 99, failuresThisRound: 4, locks: 19 }),
    });
    const evidence = buildTotpEvidence({ pendingSealed: "sealed-2" });
    const { state: after, entries } = verifyEvidence(state, evidence);
    expect(after).toMatchObject({ otpDisabled: true, pendingTotp: null });
    expect(after.lockout).toMatchObject({ failedAttempts: 100, locks: 20 });
    expect(describeEntries(entries)).toEqual([
      "otp.verified failure invalid_code",
      "user.locked success too_many_failures",
      "otp.disabled success too_many_failures",
    ]);
    const afterLock = callAt(now + 24 * 60 * minute);
    for (const right of [rightTotp, buildBackupEvidence("aa")]) {
      expect(verifyEvidence(after, right, afterLock).result).toEqual({
        ok: false,
        error: { code: "otp_disabled", lockedUntil: null },
      });
    }
  });

  test("first reports the run of refusals before it, and ends the run", () => {
    const state = buildIdentity(buildLockout({ failedAttempts: 5, locks: 1, lockedUntil: now }));
    let refused = state;
    for (const earlierMs of [3, 2, 1]) {
      refused = verifyEvidence(refused, wrongTotp, callAt(now - earlierMs)).state;
    }
    const { entries, state: after } = verifyEvidence(refused, wrongTotp);
    expect(describeEntries(entries)).toEqual([
      "otp.verified refused user_locked",
      "otp.verified failure invalid_code",
    ]);
    expect(entries[0]?.details).toEqual({ count: 2 });
    expect(after.refusals).toEqual([]);
    expect(after.lockout.failedAttempts).toBe(6);
  });
});

describe("a pending secret", () => {
  const state = buildIdentity({
    totp: { sealed: "sealed-1", lastTimeStep: step + 1 },
    pendingTotp: pending,
  });

  test("becomes the live secret with its first accepted code", () => {
    const evidence = buildTotpEvidence({ pendingSealed: "sealed-2", pendingStep: step });
    const { state: after, entries, result } = verifyEvidence(state, evidence);
    expect(result).toEqual({ ok: true, value: { method: "totp", enrolmentConfirmed: true } });
    const use = { lastTimeStep: step, lastUsedAt: now, id: expect.any(String) };
    expect(after.totp).toEqual({ sealed: "sealed-2", ...use });
    expect(after.pendingTotp).toBeNull();
    expect(describeEntries(entries)).toEqual(["otp.verified success", "otp.confirmed success"]);
    const replay = verifyEvidence(after, buildTotpEvidence({ sealed: "sealed-2", step }));
    expect(replay.result.ok).toBe(false);
  });

  test("leaves the old secret live until then", () => {
    const old = buildIdentity({ pendingTotp: pending });
    const evidence = buildTotpEvidence({ pendingSealed: "sealed-2", step });
    const { state: after, entries } = verifyEvidence(old, evidence);
    expect(after.totp).toMatchObject({ sealed: "sealed-1", lastTimeStep: step });
    expect(after.pendingTotp).toEqual(pending);
    expect(describeEntries(entries)).toEqual(["otp.verified success"]);
  });

  test("can be the first secret of an identity", () => {
    const evidence = buildTotpEvidence({
      sealed: null,
      pendingSealed: "sealed-2",
      pendingStep: step,
    });
    const { state: after } = verifyEvidence(
      buildIdentity({ totp: null, pendingTotp: pending }),
      evidence,
    );
    expect(after.totp).toMatchObject({ sealed: "sealed-2", lastTimeStep: step });
  });

  test("enables a disabled TOTP again, with the new secret only", () => {
    const disabled = buildIdentity({ otpDisabled: true, pendingTotp: pending, backupCodes: codes });
    const evidence = buildTotpEvidence({
      sealed: null,
      pendingSealed: "sealed-2",
      pendingStep: step,
    });
    const { state: after, result } = verifyEvidence(disabled, evidence);
    expect(result.ok).toBe(true);
    expect(after).toMatchObject({
      otpDisabled: false,
      totp: { sealed: "sealed-2", lastTimeStep: step },
      pendingTotp: null,
    });
    expect(verify(disabled, call, buildTotpEvidence({ step }), lockoutPolicy)).toBe(stale);
    expect(verifyEvidence(disabled, buildBackupEvidence("aa")).result).toMatchObject({
      error: { code: "otp_disabled" },
    });
  });

  test("can be confirmed until its last millisecond", () => {
    const boxesAt = (at: number) => findSecrets(state, at).map(({ sealed }) => sealed);
    expect(boxesAt(pending.expiresAt - 1)).toEqual(["sealed-1", "sealed-2"]);
    expect(boxesAt(pending.expiresAt)).toEqual(["sealed-1"]);
    const late = callAt(pending.expiresAt);
    const { result, state: after } = verifyEvidence(state, wrongTotp, late);
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
    expect(after.totp).toEqual(state.totp);
  });
});

describe("a backup code", () => {
  const state = buildIdentity({
    backupCodes: codes,
    ...buildLockout({ failedAttempts: 3, failuresThisRound: 3 }),
  });

  test("is accepted once, and the answer contains the number of remaining codes", () => {
    const { state: after, entries, result } = verifyEvidence(state, buildBackupEvidence("bb"));
    expect(result).toEqual({ ok: true, value: { method: "backup_code", backupCodesRemaining: 2 } });
    expect(after.backupCodes).toEqual({
      keyVersion: 1,
      unspent: ["aa", "cc"],
      spent: ["dd", "bb"],
    });
    expect(after.lockout).toEqual(buildIdentity().lockout);
    expect(after.lastVerifiedAt).toBe(now);
    expect(describeEntries(entries)).toEqual(["otp.verified success"]);
    const again = verifyEvidence(after, buildBackupEvidence("bb"));
    expect(again.result).toMatchObject({ ok: false, error: { code: "code_already_used" } });
    expect(again.state.backupCodes).toEqual(after.backupCodes);
  });

  test("counts as a failure when it is spent, and the answer is the same as for a wrong code", () => {
    const spent = verifyEvidence(state, buildBackupEvidence("dd"));
    const wrong = verifyEvidence(state, buildBackupEvidence("ee"));
    expect(spent.result).toEqual(wrong.result);
    expect(spent.state).toEqual(wrong.state);
    expect(spent.state.lockout.failedAttempts).toBe(4);
    expect(describeEntries(spent.entries)).toEqual(["otp.verified failure spent_code"]);
    expect(describeEntries(wrong.entries)).toEqual(["otp.verified failure invalid_code"]);
  });

  test("is accepted without TOTP", () => {
    const only = buildIdentity({ totp: null, backupCodes: codes });
    expect(verifyEvidence(only, buildBackupEvidence("aa")).result.ok).toBe(true);
  });

  test("counts as a failure when the user has TOTP and no backup codes", () => {
    const { result, state: after } = verifyEvidence(
      buildIdentity(),
      buildBackupEvidence(null, null),
    );
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
    expect(after.lockout.failedAttempts).toBe(1);
  });

  test("leaves an empty set when it was the last one", () => {
    const last = buildIdentity({ backupCodes: { keyVersion: 1, unspent: ["aa"], spent: [] } });
    const { state: after, result } = verifyEvidence(last, buildBackupEvidence("aa"));
    expect(result).toMatchObject({ ok: true, value: { backupCodesRemaining: 0 } });
    expect(after.backupCodes).toEqual({ keyVersion: 1, unspent: [], spent: ["aa"] });
  });
});

describe("gathered evidence", () => {
  const present = buildIdentity({ pendingTotp: pending, backupCodes: codes });
  const gathered = buildTotpEvidence({ pendingSealed: "sealed-2", step });

  test("is not stale when nothing changed", () => {
    expect(verify(present, call, gathered, lockoutPolicy)).not.toBe(stale);
    expect(verify(present, call, buildBackupEvidence("aa"), lockoutPolicy)).not.toBe(stale);
  });

  const cases: readonly (readonly [string, IdentityState, Evidence])[] = [
    [
      "the secret was replaced",
      { ...present, totp: { sealed: "sealed-3", lastTimeStep: null } },
      gathered,
    ],
    [
      "the secret was removed and only the pending one remains",
      { ...present, totp: null },
      gathered,
    ],
    [
      "the first secret was configured",
      buildIdentity(),
      buildTotpEvidence({ sealed: null, step: undefined }),
    ],
    [
      "the pending secret was replaced",
      { ...present, pendingTotp: { ...pending, sealed: "sealed-3" } },
      gathered,
    ],
    ["the pending secret was confirmed or removed", { ...present, pendingTotp: null }, gathered],
    [
      "the pending secret expired",
      { ...present, pendingTotp: { ...pending, expiresAt: now } },
      gathered,
    ],
    ["a pending secret was configured", present, buildTotpEvidence({ step })],
    ["TOTP was disabled", { ...present, otpDisabled: true }, gathered],
    ["backup codes were created", present, buildBackupEvidence(null, null)],
    ["the backup codes were removed", { ...present, backupCodes: null }, buildBackupEvidence("aa")],
    [
      "the backup codes were replaced under another key",
      { ...present, backupCodes: { ...codes, keyVersion: 2 } },
      buildBackupEvidence("aa"),
    ],
    ["the rule that withheld it ended", present, { method: "totp", withheld: true }],
    [
      "the rule that withheld the other factor ended",
      present,
      { method: "backup_code", withheld: true },
    ],
  ];

  test.each(cases)("is stale, and no decision is taken, when %s", (_, state, evidence) => {
    expect(verify(state, call, evidence, lockoutPolicy)).toBe(stale);
  });

  test("is compared with a new set that was created under the same key", () => {
    const replaced = { ...present, backupCodes: { keyVersion: 1, unspent: ["xx"], spent: [] } };
    const { result } = verifyEvidence(replaced, buildBackupEvidence("aa"));
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_code" } });
  });
});

test("no secret is live while TOTP is disabled", () => {
  expect(findSecrets(buildIdentity(), now)).toMatchObject([{ sealed: "sealed-1" }]);
  expect(findSecrets(buildIdentity({ otpDisabled: true }), now)).toEqual([]);
  expect(findSecrets(buildIdentity({ totp: null }), now)).toEqual([]);
});
