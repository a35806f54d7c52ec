import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countFailure,
  isLocked,
  type LockoutState,
  lockSecondsOf,
  noFailures,
  restartDisableCount,
} from "../../../src/guard/decisions/lockout.ts";
import type { LockoutPolicy } from "../../../src/tenancy/policy.ts";
import { lockoutPolicy, now } from "./example.ts";

/** Fails that many times. Waits until the end of each lock. */
function failRepeatedly(times: number, policy = lockoutPolicy, start: LockoutState = noFailures) {
  let state = start;
  let at = now;
  const failures = [];
  for (let count = 0; count < times; count += 1) {
    if (state.lockedUntil !== null) at = Math.max(at, state.lockedUntil);
    const failure = countFailure(state, policy, at);
    failures.push({ ...failure, at });
    state = failure.state;
  }
  return failures;
}

/** The lengths in seconds of the locks that this many failures cause. */
function lockSecondsAfter(times: number, policy = lockoutPolicy): number[] {
  return failRepeatedly(times, policy)
    .filter(({ locked }) => locked)
    .map(({ state, at }) => ((state.lockedUntil ?? 0) - at) / 1000);
}

describe("with the default policy", () => {
  test("the fifth failure is the first to lock, for 900 seconds", () => {
    const failures = failRepeatedly(5);
    expect(failures.map(({ locked }) => locked)).toEqual([false, false, false, false, true]);
    expect(failures.map(({ attemptsRemaining }) => attemptsRemaining)).toEqual([4, 3, 2, 1, 0]);
    expect(failures.at(-1)?.state).toEqual({
      failedAttempts: 5,
      failuresThisRound: 0,
      locks: 1,
      lockedUntil: now + 900_000,
      failedBeforeEnrolment: 0,
    });
  });

  test("a lock holds until its last millisecond", () => {
    const state = failRepeatedly(5).at(-1)?.state ?? noFailures;
    expect(isLocked(state, now)).toBe(true);
    expect(isLocked(state, now + 899_999)).toBe(true);
    expect(isLocked(state, now + 900_000)).toBe(false);
    expect(isLocked(noFailures, now)).toBe(false);
  });

  test("five more attempts follow after a lock, and the counter continues", () => {
    const failures = failRepeatedly(10).slice(5);
    expect(failures.map(({ locked }) => locked)).toEqual([false, false, false, false, true]);
    expect(failures.map(({ attemptsRemaining }) => attemptsRemaining)).toEqual([4, 3, 2, 1, 0]);
    expect(failures.map(({ state }) => state.failedAttempts)).toEqual([6, 7, 8, 9, 10]);
  });

  test("each lock is twice as long as the previous one, up to a day", () => {
    expect(lockSecondsAfter(50)).toEqual([
      900, 1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400, 86_400,
    ]);
  });

  test("the hundredth consecutive failure is the first to disable TOTP", () => {
    const failures = failRepeatedly(100);
    expect(failures.map(({ disabled }) => disabled)).toEqual([...Array(99).fill(false), true]);
    expect(failures.at(-1)?.state.failedAttempts).toBe(100);
    expect(failures.at(-1)?.attemptsRemaining).toBe(0);
  });
});

describe("with a tenant's policy", () => {
  test("locks occur as often and last as long as the policy says", () => {
    const policy = { maxFailedAttempts: 3, lockSeconds: 10, maxLockSeconds: 35, disableAfter: 14 };
    const failures = failRepeatedly(14, policy);
    const lockedAt = failures.flatMap(({ locked }, index) => (locked ? [index + 1] : []));
    expect(lockedAt).toEqual([3, 6, 9, 12]);
    expect(lockSecondsAfter(14, policy)).toEqual([10, 20, 35, 35]);
    expect(failures.map(({ disabled }) => disabled).indexOf(true)).toBe(13);
  });

  test("remaining attempts end where TOTP is disabled, even if the next lock would come later", () => {
    const policy = { ...lockoutPolicy, disableAfter: 7 };
    expect(failRepeatedly(7, policy).map(({ attemptsRemaining }) => attemptsRemaining)).toEqual([
      4, 3, 2, 1, 0, 1, 0,
    ]);
  });

  test("one failure locks if the policy allows only one", () => {
    const policy = { ...lockoutPolicy, maxFailedAttempts: 1 };
    expect(failRepeatedly(3, policy).map(({ locked }) => locked)).toEqual([true, true, true]);
    expect(lockSecondsAfter(3, policy)).toEqual([900, 1800, 3600]);
  });

  test("the next failure locks after the policy became stricter in the middle of a round", () => {
    const [, , , fourth] = failRepeatedly(4);
    const stricter = { ...lockoutPolicy, maxFailedAttempts: 2 };
    const next = countFailure(fourth?.state ?? noFailures, stricter, now);
    expect(next).toMatchObject({ locked: true, attemptsRemaining: 0 });
  });

  test("the next failure disables TOTP after the limit was set below the counter", () => {
    const [, , , fourth] = failRepeatedly(4);
    const stricter = { ...lockoutPolicy, disableAfter: 3 };
    const next = countFailure(fourth?.state ?? noFailures, stricter, now);
    expect(next).toMatchObject({ disabled: true, attemptsRemaining: 0 });
  });
});

test("a lock never exceeds the maximum length, after any number of locks", () => {
  for (const n of [8, 20, 100, 2_000]) expect(lockSecondsOf(lockoutPolicy, n)).toBe(86_400);
});

test("a new secret after a hundred failures allows a hundred more, and the counter continues", () => {
  const exhausted = failRepeatedly(100).at(-1)?.state ?? noFailures;
  const restarted = restartDisableCount(exhausted, 0);
  expect(restarted).toEqual({ ...exhausted, failedBeforeEnrolment: 100 });
  const failures = failRepeatedly(100, lockoutPolicy, restarted);
  expect(failures.map(({ disabled }) => disabled)).toEqual([...Array(99).fill(false), true]);
  expect(failures.at(-1)?.state.failedAttempts).toBe(200);
});

describe("over any sequence of failures, successes and waits", () => {
  const policies: fc.Arbitrary<LockoutPolicy> = fc
    .record({
      maxFailedAttempts: fc.integer({ min: 1, max: 8 }),
      lockSeconds: fc.integer({ min: 1, max: 100 }),
      longer: fc.integer({ min: 0, max: 1_000 }),
      rounds: fc.integer({ min: 0, max: 20 }),
    })
    .map(({ maxFailedAttempts, lockSeconds, longer, rounds }) => ({
      maxFailedAttempts,
      lockSeconds,
      maxLockSeconds: lockSeconds + longer,
      disableAfter: maxFailedAttempts + rounds,
    }));
  const steps = fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constant({ kind: "attempt" as const, wait: 0 }) },
      { weight: 1, arbitrary: fc.constant({ kind: "reset" as const, wait: 0 }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("wait" as const),
          wait: fc.integer({ min: 1, max: 400_000 }),
        }),
      },
      { weight: 3, arbitrary: fc.constant({ kind: "expiry" as const, wait: 0 }) },
    ),
    { maxLength: 120, size: "max" },
  );

  test("agrees with a model that only counts", () => {
    fc.assert(
      fc.property(policies, steps, (policy, sequence) => {
        const {
          maxFailedAttempts: maxFailures,
          lockSeconds,
          maxLockSeconds,
          disableAfter,
        } = policy;
        let state = noFailures;
        let at = now;
        // The model: consecutive failures, and when the last lock ends.
        let consecutive = 0;
        let lockEnds = 0;
        let sinceLock = 0;
        for (const { kind, wait } of sequence) {
          if (kind === "wait") at += wait;
          if (kind === "expiry") at = Math.max(at, lockEnds);
          if (kind === "reset") {
            state = noFailures;
            consecutive = 0;
            lockEnds = 0;
            sinceLock = 0;
          }
          expect(isLocked(state, at)).toBe(at < lockEnds);
          if (kind !== "attempt" || at < lockEnds || consecutive >= disableAfter) continue;
          const before = state;
          const failure = countFailure(state, policy, at);
          state = failure.state;
          consecutive += 1;
          sinceLock += 1;
          const locks = Math.floor(consecutive / maxFailures);
          const locksNow = consecutive % maxFailures === 0;
          if (locksNow) {
            lockEnds = at + Math.min(lockSeconds * 2 ** (locks - 1), maxLockSeconds) * 1000;
          }
          expect(failure.locked).toBe(locksNow);
          expect(failure.disabled).toBe(consecutive === disableAfter);
          expect(state.failedAttempts).toBe(consecutive);
          expect(state.locks).toBe(locks);
          expect(state.lockedUntil ?? 0).toBe(lockEnds);
          const untilLock = locksNow ? 0 : maxFailures - (consecutive % maxFailures);
          expect(failure.attemptsRemaining).toBe(Math.min(untilLock, disableAfter - consecutive));
          // No more guesses than allowed between two locks, and no lock ends earlier than the previous one.
          expect(sinceLock).toBeLessThanOrEqual(maxFailures);
          expect(state.lockedUntil ?? 0).toBeGreaterThanOrEqual(before.lockedUntil ?? 0);
          if (failure.locked) sinceLock = 0;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("remaining attempts are the attempts before the next lock or before TOTP is disabled", () => {
    fc.assert(
      fc.property(policies, fc.nat(30), (policy, earlier) => {
        const failures = failRepeatedly(Math.min(earlier, policy.disableAfter - 1), policy);
        const last = failures.at(-1);
        fc.pre(last !== undefined && !last.locked && !last.disabled);
        if (last === undefined) return;
        let state = last.state;
        let attempts = 0;
        for (;;) {
          const failure = countFailure(state, policy, last.at);
          attempts += 1;
          state = failure.state;
          if (failure.locked || failure.disabled) break;
        }
        expect(attempts).toBe(last.attemptsRemaining);
      }),
    );
  });
});
