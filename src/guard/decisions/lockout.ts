/**
 * Lockout (pure): it bounds the consecutive failures of an identity, with one counter for all factors. Failures of
 * known devices are counted on the devices (see devices.ts), and here towards `disableAfter`.
 *
 * Every `maxFailedAttempts` failures lock the identity, each time for twice as long. `disableAfter`
 * failures disable TOTP (NIST SP 800-63B-4 §3.2.2). Only a success or an unlock resets the counter.
 */
import type { LockoutPolicy } from "../../tenancy/policy.ts";

export interface LockoutState {
  /** Consecutive failures since the last success or unlock. */
  readonly failedAttempts: number;
  /** Failures since the last lock. */
  readonly failuresThisRound: number;
  /** Locks since the last success or unlock; each doubles the length of the next. */
  readonly locks: number;
  /** Unix ms; null if there was no lock since the last success or unlock. */
  readonly lockedUntil: number | null;
  /**
   * `failedAttempts` and the failures of known devices when a disabled TOTP was last configured again. The count up to
   * `disableAfter` starts there.
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

/** Length of the n-th lock in seconds, n from 1. */
export function lockSecondsOf(policy: LockoutPolicy, n: number): number {
  const ceiling = Math.max(policy.lockSeconds, policy.maxLockSeconds);
  return Math.min(policy.lockSeconds * 2 ** (n - 1), ceiling);
}

function countUntilDisabled(
  { failedAttempts, failedBeforeEnrolment }: LockoutState,
  policy: LockoutPolicy,
  ofDevices = 0,
): number {
  return policy.disableAfter - (failedAttempts - failedBeforeEnrolment) - ofDevices;
}

/** Whether so many codes failed in a row that TOTP is disabled. @param ofDevices failures of known devices */
export function isOverCap(state: LockoutState, policy: LockoutPolicy, ofDevices: number): boolean {
  return countUntilDisabled(state, policy, ofDevices) <= 0;
}

/**
 * How many wrong codes are left before the next lock, or before TOTP is disabled.
 * @param ofDevices failures of known devices, which count towards the cap alone
 */
export function countRemainingAttempts(
  state: LockoutState,
  policy: LockoutPolicy,
  ofDevices = 0,
): number {
  const untilLock = policy.maxFailedAttempts - state.failuresThisRound;
  return Math.max(0, Math.min(untilLock, countUntilDisabled(state, policy, ofDevices)));
}

export interface Failure {
  readonly state: LockoutState;
  /** This failure locked the identity. */
  readonly locked: boolean;
  /** This failure disabled TOTP. */
  readonly disabled: boolean;
  readonly attemptsRemaining: number;
}

/**
 * Counts one wrong code. The caller has checked that the identity is not locked.
 * @param ofDevices failures of known devices
 */
export function countFailure(
  state: LockoutState,
  policy: LockoutPolicy,
  now: number,
  ofDevices = 0,
): Failure {
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
    disabled: isOverCap(counted, policy, ofDevices),
    attemptsRemaining: countRemainingAttempts(counted, policy, ofDevices),
  };
}

/**
 * Starts the count up to `disableAfter` again, because a disabled TOTP was configured again.
 * @param ofDevices failures of known devices
 */
export function restartDisableCount(state: LockoutState, ofDevices: number): LockoutState {
  return { ...state, failedBeforeEnrolment: state.failedAttempts + ofDevices };
}
