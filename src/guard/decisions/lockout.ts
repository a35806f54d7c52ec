/**
 * Lockout (pure): how many consecutive failures an identity may make.
 *
 * One counter for all factors. Every `maxFailedAttempts` failures lock, each time for twice as long;
 * at `disableAfter` failures the authenticator is disabled (NIST SP 800-63B-4 §3.2.2). Only a
 * success or an unlock resets.
 */
import type { LockoutPolicy } from "../../tenancy/policy.ts";

export interface LockoutState {
  /** Consecutive failures since the last success or unlock. */
  readonly failedAttempts: number;
  /** Failures since the last lock: how much of the present round is used up. */
  readonly failuresThisRound: number;
  /** Locks since the last success or unlock; each doubles the length of the next. */
  readonly locks: number;
  /** Unix ms, or null when never locked since the last success or unlock. */
  readonly lockedUntil: number | null;
  /**
   * `failedAttempts` at the moment a disabled authenticator was configured anew: its own hundred
   * starts there, although the counter goes on.
   */
  readonly failedBeforeEnrolment: number;
}

export const noFailures: LockoutState = {
  failedAttempts: 0,
  failuresThisRound: 0,
  locks: 0,
  lockedUntil: null,
  failedBeforeEnrolment: 0,
};

export function isLocked(state: LockoutState, now: number): boolean {
  return state.lockedUntil !== null && now < state.lockedUntil;
}

/** Length of the n-th lock (n from 1), in seconds. */
export function lockSecondsOf(policy: LockoutPolicy, n: number): number {
  const ceiling = Math.max(policy.lockSeconds, policy.maxLockSeconds);
  return Math.min(policy.lockSeconds * 2 ** (n - 1), ceiling);
}

function countUntilDisabled(state: LockoutState, policy: LockoutPolicy): number {
  return policy.disableAfter - (state.failedAttempts - state.failedBeforeEnrolment);
}

/** Wrong codes that may still be tried before the next lock, or before TOTP is disabled. */
function countRemainingAttempts(state: LockoutState, policy: LockoutPolicy): number {
  const untilLock = policy.maxFailedAttempts - state.failuresThisRound;
  return Math.max(0, Math.min(untilLock, countUntilDisabled(state, policy)));
}

export interface Failure {
  readonly state: LockoutState;
  /** This failure locked the identity. */
  readonly locked: boolean;
  /** This failure was the last one allowed in a row. */
  readonly disabled: boolean;
  readonly attemptsRemaining: number;
}

/** One evaluated, wrong code. The caller has made sure that the identity is not locked. */
export function countFailure(state: LockoutState, policy: LockoutPolicy, now: number): Failure {
  const failedAttempts = state.failedAttempts + 1;
  const failuresThisRound = state.failuresThisRound + 1;
  const counted = { ...state, failedAttempts, failuresThisRound };
  const locked = failuresThisRound >= policy.maxFailedAttempts;
  return {
    state: locked
      ? {
          ...counted,
          failuresThisRound: 0,
          locks: state.locks + 1,
          lockedUntil: now + lockSecondsOf(policy, state.locks + 1) * 1000,
        }
      : counted,
    locked,
    disabled: countUntilDisabled(counted, policy) <= 0,
    attemptsRemaining: countRemainingAttempts(counted, policy),
  };
}

/** A disabled authenticator was configured anew. */
export function restartDisableCount(state: LockoutState): LockoutState {
  return { ...state, failedBeforeEnrolment: state.failedAttempts };
}
