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

/** Fails as often as said, each time as soon as the lock, if any, has run out. */
function failed(times: number, policy = lockoutPolicy, start: LockoutState = noFailures) {
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

/** Lengths in seconds of the locks that so many failures bring. */
function locksOf(times: number, policy = lockoutPolicy): number[] {
  return failed(times, policy)
    .filter(({ locked }) => locked)
    .map(({ state, at }) => ((state.lockedUntil ?? 0) - at) / 1000);
}

describe("with the default policy", () => {
  test("the fifth failure locks for 900 seconds, and none before it", () => {
    const failures = failed(5);
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

  test("a lock holds to its last millisecond and not one longer", () => {
    const state = failed(5).at(-1)?.state ?? noFailures;
    expect(isLocked(state, now)).toBe(true);
    expect(isLocked(state, now + 899_999)).toBe(true);
    expect(isLocked(state, now + 900_000)).toBe(false);
    expect(isLocked(noFailures, now)).toBe(false);
  });

  test("there are five more attempts after a lock, and the counter goes on", () => {
    const failures = failed(10).slice(5);
    expect(failures.map(({ locked }) => locked)).toEqual([false, false, false, false, true]);
    expect(failures.map(({ attemptsRemaining }) => attemptsRemaining)).toEqual([4, 3, 2, 1, 0]);
    expect(failures.map(({ state }) => state.failedAttempts)).toEqual([6, 7, 8, 9, 10]);
  });

  test("each lock is twice as long as the one before, up to a day", () => {
    expect(locksOf(50)).toEqual([
      900, 1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400, 86_400,
    ]);
  });

  test("the hundredth failure in a row disables, and none before it", () => {
    const failures = failed(100);
    expect(failures.map(({ disabled }) => disabled)).toEqual([...Array(99).fill(false), true]);
    expect(failures.at(-1)?.state.failedAttempts).toBe(100);
    expect(failures.at(-1)?.attemptsRemaining).toBe(0);
  });
});

describe("with a policy of the tenant's", () => {
  test("locks come as often and as long as it says", () => {
    const policy = { maxFailedAttempts: 3, lockSeconds: 10, maxLockSeconds: 35, disableAfter: 14 };
    const failures = failed(14, policy);
    const lockedAt = failures.flatMap(({ locked }, index) => (locked ? [index + 1] : []));
    expect(lockedAt).toEqual([3, 6, 9, 12]);
    expect(locksOf(14, policy)).toEqual([10, 20, 35, 35]);
    expect(failures.map(({ disabled }) => disabled).indexOf(true)).toBe(13);
  });

  test("remaining attempts end where TOTP is disabled, though the next lock is further off", () => {
    const policy = { ...lockoutPolicy, disableAfter: 7 };
    expect(failed(7, policy).map(({ attemptsRemaining }) => attemptsRemaining)).toEqual([
      4, 3, 2, 1, 0, 1, 0,
    ]);
  });

  test("one failure locks when it says one", () => {
    const policy = { ...lockoutPolicy, maxFailedAttempts: 1 };
    expect(failed(3, policy).map(({ locked }) => locked)).toEqual([true, true, true]);
    expect(locksOf(3, policy)).toEqual([900, 1800, 3600]);
  });

  test("made stricter in the middle of a round, the next failure locks", () => {
    const [, , , fourth] = failed(4);
    const stricter = { ...lockoutPolicy, maxFailedAttempts: 2 };
    const next = countFailure(fourth?.state ?? noFailures, stricter, now);
    expect(next).toMatchObject({ locked: true, attemptsRemaining: 0 });
  });

  test("made stricter past the counter, the next failure disables", () => {
    const [, , , fourth] = failed(4);
    const stricter = { ...lockoutPolicy, disableAfter: 3 };
    const next = countFailure(fourth?.state ?? noFailures, stricter, now);
    expect(next).toMatchObject({ disabled: true, attemptsRemaining: 0 });
  });
});

test("the length of a lock never passes the longest, however many there were", () => {
  for (const n of [8, 20, 100, 2_000]) expect(lockSecondsOf(lockoutPolicy, n)).toBe(86_400);
});

test("a new secret after a hundred failures starts a new hundred, and the counter goes on", () => {
  const exhausted = failed(100).at(-1)?.state ?? noFailures;
  const anew = restartDisableCount(exhausted);
  expect(anew).toEqual({ ...exhausted, failedBeforeEnrolment: 100 });
  const failures = failed(100, lockoutPolicy, anew);
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

  test("equals a model that only counts", () => {
    fc.assert(
      fc.property(policies, steps, (policy, sequence) => {
        const { maxFailedAttempts: most, lockSeconds, maxLockSeconds, disableAfter } = policy;
        let state = noFailures;
        let at = now;
        // The model: failures in a row, and when the last lock ends.
        let inARow = 0;
        let lockEnds = 0;
        let sinceLock = 0;
        for (const { kind, wait } of sequence) {
          if (kind === "wait") at += wait;
          if (kind === "expiry") at = Math.max(at, lockEnds);
          if (kind === "reset") {
            state = noFailures;
            inARow = 0;
            lockEnds = 0;
            sinceLock = 0;
          }
          expect(isLocked(state, at)).toBe(at < lockEnds);
          if (kind !== "attempt" || at < lockEnds || inARow >= disableAfter) continue;
          const before = state;
          const failure = countFailure(state, policy, at);
          state = failure.state;
          inARow += 1;
          sinceLock += 1;
          const locks = Math.floor(inARow / most);
          const locksNow = inARow % most === 0;
          if (locksNow) {
            lockEnds = at + Math.min(lockSeconds * 2 ** (locks - 1), maxLockSeconds) * 1000;
          }
          expect(failure.locked).toBe(locksNow);
          expect(failure.disabled).toBe(inARow === disableAfter);
          expect(state.failedAttempts).toBe(inARow);
          expect(state.locks).toBe(locks);
          expect(state.lockedUntil ?? 0).toBe(lockEnds);
          const untilLock = locksNow ? 0 : most - (inARow % most);
          expect(failure.attemptsRemaining).toBe(Math.min(untilLock, disableAfter - inARow));
          // Never more guesses than allowed between two locks, and locks only grow.
          expect(sinceLock).toBeLessThanOrEqual(most);
          expect(state.lockedUntil ?? 0).toBeGreaterThanOrEqual(before.lockedUntil ?? 0);
          if (failure.locked) sinceLock = 0;
        }
      }),
      { numRuns: 300 },
    );
  });

  test("remaining attempts are those that can be made before the next lock or the end", () => {
    fc.assert(
      fc.property(policies, fc.nat(30), (policy, earlier) => {
        const failures = failed(Math.min(earlier, policy.disableAfter - 1), policy);
        const last = failures.at(-1);
        fc.pre(last !== undefined && !last.locked && !last.disabled);
        if (last === undefined) return;
        let state = last.state;
        let made = 0;
        for (;;) {
          const failure = countFailure(state, policy, last.at);
          made += 1;
          state = failure.state;
          if (failure.locked || failure.disabled) break;
        }
        expect(made).toBe(last.attemptsRemaining);
      }),
    );
  });
});
