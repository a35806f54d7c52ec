/**
 * Wrong codes from a known device (pure). They count on the device, never towards the lock of strangers, and towards the
 * cap of all consecutive failures.
 */
import type { LockoutPolicy } from "../../tenancy/policy.ts";
import { dropPending } from "./authenticators.ts";
import type { KnownDevice } from "./device-state.ts";
import { countDeviceFailures, type Removal, removeDevices } from "./devices.ts";
import { type Attempt, describeRejection, type Evaluation } from "./evaluation.ts";
import { countRemainingAttempts, isLocked, isOverCap } from "./lockout.ts";
import { addSessionOf, applyChange } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import {
  addRecentAttempt,
  type EventEntry,
  fail,
  type GuardCall,
  type Transition,
} from "./transition.ts";

/** Wrong codes in a row after which a device is removed. */
const maxDeviceFailures = 5;

/** What a wrong code from a known device changes. */
interface DeviceFailure extends Removal {
  /** The failure disabled TOTP. */
  readonly disabled: boolean;
  /** For the next attempt from this browser: on the device or, if it is removed, as a stranger. */
  readonly attemptsRemaining: number;
  readonly lockedUntil: number | null;
  /** Wrong codes in a row from this device. */
  readonly failures: number;
}

/** Counts a wrong code on the known device that it came from. */
function countDeviceFailure(
  state: IdentityState,
  device: KnownDevice,
  policy: LockoutPolicy,
  now: number,
): DeviceFailure {
  const failed = { ...device, failures: device.failures + 1 };
  const devices = state.devices.map((one) => (one === device ? failed : one));
  const isRemoved = failed.failures >= maxDeviceFailures;
  const { change, entries } = removeDevices(
    { devices, lockout: state.lockout },
    "failures",
    (one) => isRemoved && one === failed,
  );
  const { lockout } = change;
  const ofDevices = countDeviceFailures(change);
  const locked = isRemoved && isLocked(lockout, now);
  const asStranger = locked ? 0 : countRemainingAttempts(lockout, policy, ofDevices);
  return {
    change,
    entries,
    failures: failed.failures,
    disabled: isOverCap(lockout, policy, ofDevices),
    attemptsRemaining: isRemoved
      ? asStranger
      : countDeviceAttempts(failed, { ...state, devices }, policy),
    lockedUntil: locked ? lockout.lockedUntil : null,
  };
}

/** How many wrong codes are left on a device before it is removed, or before TOTP is disabled. */
export function countDeviceAttempts(
  { failures }: KnownDevice,
  state: IdentityState,
  policy: LockoutPolicy,
): number {
  // Failures of strangers in this round do not count here.
  const lockout = { ...state.lockout, failuresThisRound: failures };
  const limits = { ...policy, maxFailedAttempts: maxDeviceFailures };
  return countRemainingAttempts(lockout, limits, countDeviceFailures(state));
}

/** The event of failures that disabled TOTP. @param failedAttempts those of strangers and devices */
export function describeDisabling(failedAttempts: number): EventEntry {
  return {
    action: "otp.disabled",
    outcome: "success",
    reason: "too_many_failures",
    details: { failed_attempts: failedAttempts },
  };
}

/** Rejects a code from a known device. It counts on the device, and not towards a lock. */
export function rejectOnDevice<T>(
  state: IdentityState,
  call: GuardCall,
  method: Attempt["method"],
  evaluation: Evaluation,
  policy: LockoutPolicy,
  device: KnownDevice,
): Transition<T> {
  const failure = countDeviceFailure(state, device, policy, call.now);
  const { change, disabled, failures } = failure;
  const { reason, clock } = describeRejection(evaluation);
  const details = { method, failed_attempts: failures, device_id: device.id, ...clock };
  const rejected: EventEntry = { action: "otp.verified", outcome: "failure", reason, details };
  const total = change.lockout.failedAttempts + countDeviceFailures(change);
  return applyChange(
    state,
    {
      ...change,
      otpDisabled: state.otpDisabled || disabled,
      ...(disabled ? dropPending(state) : {}),
      recent: addRecentAttempt(state, "failure", call.now, true),
    },
    [
      addSessionOf(rejected, call.session),
      ...failure.entries,
      ...(disabled ? [describeDisabling(total)] : []),
    ],
    fail({
      code: "invalid_code",
      attemptsRemaining: failure.attemptsRemaining,
      lockedUntil: failure.lockedUntil,
      ...(disabled ? { isDisabled: true } : {}),
    }),
    call.now,
  );
}
