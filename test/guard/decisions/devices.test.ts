/** The decisions about known devices that need no request. test/attacks/devices.test.ts has the attacks. */
import { describe, expect, test } from "vitest";
import { configureTotp, removeTotp } from "../../../src/guard/decisions/credentials.ts";
import type { KnownDevice } from "../../../src/guard/decisions/device-state.ts";
import {
  applyDevice,
  countDeviceFailures,
  findDevice,
  removeAllDevices,
  removeDevices,
} from "../../../src/guard/decisions/devices.ts";
import {
  countRemainingAttempts,
  isOverCap,
  noFailures,
} from "../../../src/guard/decisions/lockout.ts";
import {
  addAuthenticator,
  removeAuthenticator,
} from "../../../src/guard/decisions/manage-authenticators.ts";
import type { IdentityState } from "../../../src/guard/decisions/state.ts";
import { parseState } from "../../../src/guard/decisions/state.ts";
import {
  type GuardCall,
  succeed,
  type Transition,
} from "../../../src/guard/decisions/transition.ts";
import { verify } from "../../../src/guard/decisions/verify.ts";
import { buildOutboxEntry } from "../../../src/guard/delivery/outbox-entry.ts";
import { defaultParameters } from "../../../src/otp/totp.ts";
import {
  buildIdentity,
  buildLockout,
  call,
  describeEntries,
  exampleDevice,
  expectDecision,
  lockoutPolicy,
  now,
  step,
} from "./example.ts";

const secret = { id: "d".repeat(24), sealed: "sealed-2" };
const created = { id: "b".repeat(24), digest: "c".repeat(64) };
const remember = { days: 30, name: null };

function createDevice(n: number, changes: Partial<KnownDevice> = {}): KnownDevice {
  return { ...exampleDevice, id: `device-${n}`, digest: String(n).repeat(64), ...changes };
}

/** Applies an accepted code, or an accepted passkey, which has reset the failures of strangers. */
function applyAccepted(before: IdentityState, device: GuardCall["device"], passkeyId?: string) {
  const verified = {
    state: { ...before, lockout: noFailures },
    entries: [{ action: "otp.verified", outcome: "success" } as const],
    result: succeed({}),
  };
  const from = device === undefined ? call : { ...call, device };
  return applyDevice(before, from, verified, passkeyId ?? null);
}

describe("A known device", () => {
  const failed = createDevice(1, { failures: 3 });
  const { lockout } = buildLockout({ failedAttempts: 7, lockedUntil: now + 1 });
  const state = buildIdentity({ devices: [failed], lockout });
  const sent = { digest: failed.digest, remember: null };

  test("takes back its own failures with a right code, and leaves those of strangers", () => {
    const { state: after } = applyAccepted(state, sent);
    expect(after.devices).toEqual([{ ...failed, failures: 0, lastUsedAt: now }]);
    expect(after.lockout).toEqual(lockout);
  });

  test("takes back no failures with a passkey", () => {
    const { state: after } = applyAccepted(state, sent, "passkey");
    expect(after.devices).toEqual([{ ...failed, lastUsedAt: now }]);
  });

  test("keeps its failures when a stranger takes back those of strangers", () => {
    const { state: after } = applyAccepted(state, undefined);
    expect(after.devices).toEqual([failed]);
    expect(after.lockout).toEqual(noFailures);
  });

  test("is found by its whole digest, and before its end", () => {
    const found = (digest: string | null, at = now) =>
      findDevice(state, { now: at, device: { digest, remember: null } });
    expect(found(failed.digest)).toBe(failed);
    expect(found(failed.digest, failed.expiresAt - 1)).toBe(failed);
    expect(found(failed.digest, failed.expiresAt)).toBeUndefined();
    for (const other of ["", failed.digest.slice(1), `${failed.digest}0`, null]) {
      expect(found(other)).toBeUndefined();
    }
    expect(findDevice(state, { now })).toBeUndefined();
  });

  test("leaves its failures with those of strangers when it is removed, however that happens", () => {
    const total = (of: Pick<IdentityState, "devices" | "lockout">) =>
      of.lockout.failedAttempts + of.devices.reduce((sum, { failures }) => sum + failures, 0);
    const { change } = removeDevices(state, "requested");
    expect(change.devices).toEqual([]);
    expect(total(change)).toBe(total(state));
    expect(total(configureTotp(state, call, secret, "immediate").state)).toBe(total(state));
    const disabled = buildIdentity({ ...state, otpDisabled: true });
    const { lockout: restarted } = configureTotp(disabled, call, secret, "immediate").state;
    expect(restarted.failedBeforeEnrolment).toBe(restarted.failedAttempts);
  });

  /** Confirms the pending secret of the state, with or without the token of the device. */
  function confirm(before: IdentityState, device: GuardCall["device"]) {
    const from = device === undefined ? call : { ...call, device };
    const comparisons = [{ sealed: secret.sealed, step }];
    const evidence = { method: "totp", comparisons } as const;
    const verified = expectDecision(verify(before, from, evidence, lockoutPolicy, "confirm"));
    expect(verified.result).toMatchObject({ ok: true, value: { enrolmentConfirmed: true } });
    return applyDevice(before, from, verified, null).state;
  }

  test("leaves its failures when a pending secret becomes live: a code takes back those of its sender", () => {
    const other = createDevice(2, { failures: 4 });
    const before = buildIdentity({
      devices: [failed, other],
      lockout,
      pendingTotp: { ...secret, expiresAt: now + 1 },
    });
    const byDevice = confirm(before, sent);
    expect(byDevice.devices).toEqual([]);
    expect(byDevice.lockout).toEqual({ ...lockout, failedAttempts: 7 + 4 });
    const unlocked = { ...before, lockout: { ...lockout, lockedUntil: null } };
    const byStranger = confirm(unlocked, undefined);
    expect(byStranger.devices).toEqual([]);
    expect(byStranger.lockout).toEqual({ ...noFailures, failedAttempts: 3 + 4 });
  });

  test("takes no attempts from a new secret with failures from before TOTP was disabled", () => {
    const strict = { ...lockoutPolicy, disableAfter: 5 };
    const disabled = buildIdentity({ ...state, otpDisabled: true });
    const added = { ...defaultParameters, ...secret, name: null, isPending: true };
    for (const { state: waiting } of [
      configureTotp(disabled, call, secret, "confirm"),
      addAuthenticator(disabled, call, added),
    ]) {
      const { lockout: counted, devices } = waiting;
      expect(countRemainingAttempts(counted, strict, countDeviceFailures(waiting))).toBe(5);
      expect(devices).toEqual([failed]);
      const unlocked = { ...waiting, lockout: { ...counted, lockedUntil: null } };
      for (const sender of [sent, undefined]) {
        const { lockout: after } = confirm(unlocked, sender);
        expect(after.failedBeforeEnrolment).toBe(after.failedAttempts);
        expect(countRemainingAttempts(after, strict)).toBe(5);
      }
      // A wrong code that came after the new secret counts.
      const failedAttempts = counted.failedAttempts + 1;
      const guessed = { ...waiting, lockout: { ...counted, failedAttempts } };
      expect(countRemainingAttempts(confirm(guessed, sent).lockout, strict)).toBe(4);
    }
  });

  test("is removed by a secret that is added or removed while live, and its failures stay counted", () => {
    const added = { ...defaultParameters, ...secret, name: null, isPending: false };
    const { state: more, entries } = addAuthenticator(state, call, added);
    expect(describeEntries(entries)).toEqual([
      "authenticator.added success",
      "device.removed success otp_configured",
    ]);
    expect(more).toMatchObject({ devices: [], lockout: { failedAttempts: 10 } });
    const withAnother = { ...more, devices: [failed] };
    const { state: fewer, entries: removal } = removeAuthenticator(withAnother, call, secret.id);
    expect(describeEntries(removal)).toEqual([
      "authenticator.removed success",
      "device.removed success otp_removed",
    ]);
    expect(fewer).toMatchObject({ devices: [], lockout: { failedAttempts: 13 } });
  });

  test("stays when a pending secret is added or removed", () => {
    const added = { ...defaultParameters, ...secret, name: null, isPending: true };
    const { state: more } = addAuthenticator(state, call, added);
    const { state: fewer } = removeAuthenticator(more, call, secret.id);
    for (const { devices, lockout: counted } of [more, fewer]) {
      expect({ devices, lockout: counted }).toEqual({ devices: [failed], lockout });
    }
  });

  test("is named in the event of a wrong code, which says how far its clock is off", () => {
    const { totp } = state;
    const sealed = totp?.sealed ?? "";
    const evidence = { method: "totp", comparisons: [{ sealed, distantStep: step + 4 }] } as const;
    const { entries } = expectDecision(
      verify(state, { ...call, device: sent }, evidence, lockoutPolicy),
    );
    expect(entries[0]?.details).toEqual({
      method: "totp",
      failed_attempts: 4,
      device_id: failed.id,
      clock_off_by_seconds: 120,
    });
  });

  test("leaves no pending secret behind when its failures disable TOTP", () => {
    const pendingUntil = now + 60_000;
    const pending = { ...defaultParameters, ...secret, name: "New", pendingUntil };
    const added = { ...pending, lastTimeStep: null, lastUsedAt: null };
    const last = buildLockout({ failedAttempts: 96 }).lockout;
    const before = { ...state, lockout: last, authenticators: [added] };
    const sealed = state.totp?.sealed ?? "";
    const comparisons = [{ sealed }, { sealed: added.sealed }];
    const { state: after } = expectDecision(
      verify(before, { ...call, device: sent }, { method: "totp", comparisons }, lockoutPolicy),
    );
    expect(after).toMatchObject({ otpDisabled: true, pendingTotp: null, authenticators: [] });
  });

  test("makes room for a new one: expired ones first, then the oldest", () => {
    const expired = createDevice(2, { expiresAt: now });
    const others = Array.from({ length: 19 }, (_, n) => createDevice(n + 3));
    const full = buildIdentity({ devices: [failed, expired, ...others] });
    const first = applyAccepted(full, { digest: null, remember, created });
    expect(first.state.devices.map(({ id }) => id)).toEqual([
      ...others.map(({ id }) => id),
      created.id,
    ]);
    expect(describeEntries(first.entries)).toEqual([
      "otp.verified success",
      "device.removed success expired",
      "device.removed success limit",
      "device.remembered success",
    ]);
  });

  test("is remembered with the time, the passkey and the session that it came with", () => {
    const { state: after, result } = applyDevice(
      buildIdentity(),
      { ...call, session: { assessmentId: "a" }, device: { digest: null, remember, created } },
      { state: buildIdentity(), entries: [], result: succeed({}) },
      "passkey",
    );
    const expiresAt = now + 30 * 86_400_000;
    expect(after.devices).toEqual([
      {
        ...created,
        name: null,
        createdAt: now,
        lastUsedAt: now,
        expiresAt,
        failures: 0,
        passkeyId: "passkey",
        assessmentId: "a",
      },
    ]);
    expect(result.ok && result.value.device).toEqual({
      status: "new",
      id: created.id,
      expiresAt,
      lastVerifiedAt: now,
    });
  });
});

test("the cap counts the failures of strangers and of devices since TOTP was configured again", () => {
  const { lockout } = buildLockout({ failedAttempts: 120, failedBeforeEnrolment: 100 });
  expect(isOverCap(lockout, lockoutPolicy, 79)).toBe(false);
  expect(isOverCap(lockout, lockoutPolicy, 80)).toBe(true);
});

test("a state of an older build has no devices", () => {
  const { devices: _devices, ...older } = buildIdentity();
  expect(parseState(older)).toEqual(buildIdentity());
});

test("the events of a change that removes all devices sort before those of the next one", () => {
  const devices = Array.from({ length: 20 }, (_, n) => createDevice(n));
  const refusals = Array.from({ length: 16 }, (_, n) => ({
    action: "otp.verified" as const,
    reason: "user_locked",
    unreported: 2,
    reports: 1,
    lastAt: now,
    lastActor: { ...call.actor, id: `token-${n}` },
    lastRequestId: "request",
  }));
  const removed = removeAllDevices(buildIdentity({ devices, refusals }), call);
  const idsOf = (transition: Transition<unknown>, version: number) =>
    buildOutboxEntry(transition, version, call, false)?.events.map(({ id }) => id) ?? [];
  const ids = [...idsOf(removed, 1), ...idsOf(removeTotp(removed.state, call), 2)];
  expect(ids).toHaveLength(16 + 20 + 1);
  expect(ids.toSorted()).toEqual(ids);
});
