/** Decisions on several TOTP secrets of one identity. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AddedSecret } from "../../../src/guard/decisions/authenticator-state.ts";
import { listAuthenticators } from "../../../src/guard/decisions/authenticators.ts";
import { removeTotp } from "../../../src/guard/decisions/credentials.ts";
import type { Comparison } from "../../../src/guard/decisions/evaluate-totp.ts";
import { stale } from "../../../src/guard/decisions/evaluation.ts";
import {
  addAuthenticator,
  removeAuthenticator,
  renameAuthenticator,
} from "../../../src/guard/decisions/manage-authenticators.ts";
import { profileOf } from "../../../src/guard/decisions/profile.ts";
import { standingOf } from "../../../src/guard/decisions/standing.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { verify } from "../../../src/guard/decisions/verify.ts";
import { defaultParameters } from "../../../src/otp/totp.ts";
import { defaultPolicy } from "../../../src/tenancy/policy.ts";
import {
  buildIdentity,
  buildLockout,
  buildTotpEvidence,
  call,
  describeEntries,
  expectDecision,
  lockoutPolicy,
  minute,
  now,
  step,
} from "./example.ts";

/** The n-th added secret, n from 1. */
function buildAdded(n: number, changes: Partial<AddedSecret> = {}): AddedSecret {
  return {
    ...defaultParameters,
    id: `00000000000${n}000000000000`,
    name: `Authenticator ${n}`,
    sealed: `added-${n}`,
    pendingUntil: null,
    lastTimeStep: null,
    lastUsedAt: null,
    ...changes,
  };
}

function buildWith(...authenticators: readonly AddedSecret[]): IdentityState {
  return buildIdentity({ authenticators });
}

/** Verifies a code that the primary secret has in a step, and the added secrets in theirs. */
function verifyCode(
  state: IdentityState,
  step: number | undefined,
  others: readonly Comparison[],
  last: { readonly lastTimeStep?: number; readonly isLastCode?: boolean } = {},
) {
  const evidence = buildTotpEvidence({ step, others, ...last });
  return expectDecision(verify(state, call, evidence, lockoutPolicy));
}

describe("a code of several secrets", () => {
  const [first, second] = [buildAdded(1), buildAdded(2, { period: 60 })];
  const state = buildWith(first, second);
  const none = [{ sealed: "added-1" }, { sealed: "added-2" }];

  test("is accepted with the secret that has it, which alone spends it", () => {
    const others = [{ sealed: "added-1", step: step + 1 }, { sealed: "added-2" }];
    const { state: after, entries, result } = verifyCode(state, undefined, others);
    expect(result).toEqual({ ok: true, value: { method: "totp" } });
    expect(entries[0]?.details).toEqual({ method: "totp", authenticator_id: first.id });
    expect(after).toMatchObject({ totp: state.totp, lastAuthenticatorId: first.id });
    expect(after.authenticators).toEqual([
      { ...first, lastTimeStep: step + 1, lastUsedAt: now },
      second,
    ]);
  });

  test("is spent for every secret that has it, and used with the first", () => {
    const others = [
      { sealed: "added-1", step },
      { sealed: "added-2", step: 7 },
    ];
    const { state: after, entries } = verifyCode(state, step, others);
    expect(entries[0]?.details).toEqual({ method: "totp" });
    expect(after.totp).toMatchObject({ lastTimeStep: step, lastUsedAt: now });
    expect(after.lastAuthenticatorId).toBeNull();
    expect(after.authenticators).toEqual([
      { ...first, lastTimeStep: step, lastUsedAt: now },
      { ...second, lastTimeStep: 7, lastUsedAt: now },
    ]);
    for (const [primary, added] of [
      [step, step],
      [undefined, step],
    ]) {
      const again = verifyCode(
        after,
        primary,
        [{ sealed: "added-1", step: added }, { sealed: "added-2" }],
        { lastTimeStep: step },
      );
      expect(again.result.ok).toBe(false);
    }
  });

  test("is not accepted with one secret if it is spent for another", () => {
    const used = buildWith(buildAdded(1, { lastTimeStep: step }), second);
    const others = [{ sealed: "added-1", step }, { sealed: "added-2" }];
    const { entries } = verifyCode(used, step, others);
    expect(describeEntries(entries)).toEqual(["otp.verified failure replayed_code"]);
  });

  test("is known as the one accepted last while its secret is there", () => {
    const others = [{ sealed: "added-1", step }, { sealed: "added-2" }];
    const { state: used } = verifyCode(state, undefined, others);
    const last = { sealed: "added-1", timeStep: step, isLastCode: true };
    const comparisons = [{ sealed: "sealed-1" }, ...none];
    const resend = (identity: IdentityState, compared: readonly Comparison[]) =>
      verify(identity, call, { method: "totp", comparisons: compared, last }, lockoutPolicy);
    expect(expectDecision(resend(used, comparisons)).result).toMatchObject({
      error: { code: "code_already_used" },
    });
    const { state: removed } = removeAuthenticator(used, call, first.id);
    expect(
      expectDecision(resend(removed, [{ sealed: "sealed-1" }, { sealed: "added-2" }])).result,
    ).toMatchObject({ error: { code: "invalid_code" } });
  });

  test.each([
    ["was added", buildWith(first, second, buildAdded(3))],
    ["was removed", buildWith(first)],
    ["was replaced", buildWith(first, buildAdded(3))],
    ["moved", buildWith(second, first)],
  ])("is compared again if a secret %s meanwhile", (_, present) => {
    const evidence = buildTotpEvidence({ step, others: none });
    expect(verify(present, call, evidence, lockoutPolicy)).toBe(stale);
  });
});

describe("a wrong code", () => {
  const added = buildAdded(1, { period: 60, lastTimeStep: step / 2 - 8 });
  const state = buildWith(added);

  test("names in its event the secret whose clock explains it best, and the answer is as always", () => {
    const near = [{ sealed: "added-1", distantStep: Math.floor(step / 2) + 3 }];
    const evidence = {
      method: "totp",
      comparisons: [{ sealed: "sealed-1", distantStep: step - 9 }, ...near],
    } as const;
    const { entries, result } = expectDecision(verify(state, call, evidence, lockoutPolicy));
    const plain = verifyCode(state, undefined, [{ sealed: "added-1" }]);
    expect(result).toEqual(plain.result);
    expect(entries[0]?.details).toEqual({
      method: "totp",
      failed_attempts: 1,
      clock_off_by_seconds: 180,
      authenticator_id: added.id,
    });
    expect(plain.entries[0]?.details).toEqual({ method: "totp", failed_attempts: 1 });
  });

  test("does not, if the step was spent meanwhile", () => {
    const others = [{ sealed: "added-1", distantStep: Math.floor(step / 2) - 9 }];
    const { entries } = verifyCode(state, undefined, others);
    expect(entries[0]?.details).toEqual({ method: "totp", failed_attempts: 1 });
  });

  test("that disables TOTP removes the pending secrets, and keeps the live ones", () => {
    const pending = buildAdded(2, { pendingUntil: now + minute });
    const almost = {
      ...buildWith(added, pending),
      ...buildLockout({ failedAttempts: 99, failuresThisRound: 4 }),
    };
    const { state: after } = verifyCode(almost, undefined, [
      { sealed: "added-1" },
      { sealed: "added-2" },
    ]);
    expect(after).toMatchObject({ otpDisabled: true, authenticators: [added] });
  });
});

describe("a pending secret beside others", () => {
  const pending = buildAdded(1, { pendingUntil: now + minute });
  const state = buildIdentity({ totp: null, authenticators: [pending, buildAdded(2, pending)] });

  test("is no factor until its first code", () => {
    expect(profileOf(state, now)).toMatchObject({ hasOtp: false, otpStatus: "pending" });
    expect(standingOf(state, { now }, defaultPolicy.passkeys).factors).toEqual([]);
    expect(profileOf(state, now + minute).otpStatus).toBe("none");
    const only = { ...state, authenticators: [pending] };
    const evidence = buildTotpEvidence({ sealed: null, others: [{ sealed: "added-1", step }] });
    const {
      state: after,
      entries,
      result,
    } = expectDecision(verify(only, call, evidence, lockoutPolicy, "confirm"));
    expect(result).toMatchObject({ ok: true, value: { enrolmentConfirmed: true } });
    expect(describeEntries(entries)).toEqual(["otp.verified success", "otp.confirmed success"]);
    expect(entries[1]?.details).toEqual({ authenticator_id: pending.id });
    expect(profileOf(after, now)).toMatchObject({ hasOtp: true, otpStatus: "active" });
    expect(standingOf(after, { now }, defaultPolicy.passkeys).factors).toEqual(["totp"]);
  });

  test("enables a disabled TOTP, and with it the secrets that were disabled", () => {
    const disabled = {
      ...buildWith(pending),
      otpDisabled: true,
      ...buildLockout({ failedAttempts: 100 }),
    };
    const evidence = buildTotpEvidence({ sealed: null, others: [{ sealed: "added-1", step }] });
    const { state: after } = expectDecision(verify(disabled, call, evidence, lockoutPolicy));
    expect(after).toMatchObject({ otpDisabled: false, lockout: { failedAttempts: 0 } });
    const old = verifyCode(after, step, [{ sealed: "added-1" }]);
    expect(old.result.ok).toBe(true);
  });
});

describe("adding a secret", () => {
  const request = { ...defaultParameters, id: "0".repeat(24), name: null, sealed: "new" };

  test("leaves out what has expired, so that it does not count", () => {
    const expired = [1, 2, 3, 4].map((n) => buildAdded(n, { pendingUntil: now }));
    const { state, result } = addAuthenticator(buildWith(...expired), call, {
      ...request,
      isPending: false,
    });
    expect(result).toMatchObject({ ok: true, value: { name: "Authenticator 2" } });
    expect(state.authenticators.map(({ sealed }) => sealed)).toEqual(["new"]);
  });

  test("is refused for a suspended user, and beyond five", () => {
    const four = [1, 2, 3, 4].map((n) => buildAdded(n));
    for (const [state, code] of [
      [buildIdentity({ status: "suspended" }), "user_suspended"],
      [buildWith(...four), "too_many"],
    ] as const) {
      const {
        result,
        entries,
        state: after,
      } = addAuthenticator(state, call, {
        ...request,
        isPending: true,
      });
      expect(result).toEqual({ ok: false, error: { code } });
      expect(describeEntries(entries)).toEqual([`authenticator.added refused ${code}`]);
      expect(after.authenticators).toEqual(state.authenticators);
    }
  });

  test.each([true, false])(
    "starts the count of a disabled TOTP over (pending: %s)",
    (isPending) => {
      const disabled = buildIdentity({
        otpDisabled: true,
        ...buildLockout({ failedAttempts: 100 }),
      });
      const { state } = addAuthenticator(disabled, call, { ...request, isPending });
      expect(state.otpDisabled).toBe(isPending);
      expect(state.lockout).toMatchObject({ failedAttempts: 100, failedBeforeEnrolment: 100 });
    },
  );
});

test("removing TOTP, or each secret, leaves no code acceptable; names are never in an event", () => {
  const secrets = fc.array(fc.constantFrom("live", "pending"), { maxLength: 4 });
  fc.assert(
    fc.property(secrets, fc.boolean(), (kinds, all) => {
      const added = kinds.map((kind, index) =>
        buildAdded(index + 1, {
          name: "a secret name",
          pendingUntil: kind === "live" ? null : now + minute,
        }),
      );
      let state = buildWith(...added);
      const entries: unknown[] = [];
      if (all) state = removeTotp(state, call).state;
      else {
        for (const { id } of listAuthenticators(state, now)) {
          const renamed = renameAuthenticator(state, call, id, "a secret name");
          const removed = removeAuthenticator(renamed.state, call, id);
          entries.push(renamed.entries, removed.entries);
          state = removed.state;
        }
      }
      expect(JSON.stringify(entries)).not.toContain("a secret name");
      expect(listAuthenticators(state, now)).toEqual([]);
      expect(state).toMatchObject({ totp: null, pendingTotp: null, authenticators: [] });
    }),
  );
});
