/**
 * The devices that an identity is known on (pure). A wrong code from a known device counts on that device alone, so
 * that strangers who guess cannot keep the user out: neither do their failures lock the device, nor do its failures or
 * its successes change their lock. The cap of consecutive failures (see lockout.ts) counts the failures of both.
 */
import { encodeUtf8 } from "../../crypto/bytes.ts";
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import type { DeviceAnswer, KnownDevice } from "./device-state.ts";
import { applyChange, refuse } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

const maxDevices = 20;
const dayMs = 24 * 60 * 60 * 1000;

/** Why a device was removed; `limit`: for a newer one. */
type RemovalReason =
  | "requested"
  | "failures"
  | "limit"
  | "expired"
  | "otp_configured"
  | "otp_removed"
  | "passkey_removed"
  | "user_suspended"
  | "fraud";

/** What an accepted attempt answers besides, if the request said something of a device. */
export interface AddedDevice {
  readonly device?: DeviceAnswer;
  /** The token of a new device. It is added to the answer, and never stored in it. */
  readonly deviceToken?: string;
}

/** The devices that have not expired, the oldest first. */
export function listDevices({ devices }: IdentityState, now: number): readonly KnownDevice[] {
  return devices.filter(({ expiresAt }) => now < expiresAt);
}

/** The known device that the request comes from. */
export function findDevice(
  state: IdentityState,
  { now, device }: Pick<GuardCall, "now" | "device">,
): KnownDevice | undefined {
  const sent = encodeUtf8(device?.digest ?? "");
  // All are compared, so that the time of an answer does not tell which one it is.
  const equal = listDevices(state, now).filter(({ digest }) =>
    timingSafeEqual(encodeUtf8(digest), sent),
  );
  return equal[0];
}

/**
 * What the answer says of the device: nothing if the request says nothing of one, and the user has none.
 * @param known the known device that the request comes from
 */
export function describeDevice(
  state: IdentityState,
  { now, device: request }: Pick<GuardCall, "now" | "device">,
  known: KnownDevice | undefined,
): DeviceAnswer | undefined {
  if (known !== undefined) return { status: "known", ...describeTimes(known) };
  if (request !== undefined) return { status: request.digest === null ? "none" : "unknown" };
  return listDevices(state, now).length === 0 ? undefined : { status: "none" };
}

function describeTimes({ id, expiresAt, lastUsedAt: lastVerifiedAt }: KnownDevice) {
  return { id, expiresAt, lastVerifiedAt };
}

/** The failures of all devices, which count towards the cap together with those of strangers. */
export function countDeviceFailures({ devices }: Pick<IdentityState, "devices">): number {
  return devices.reduce((sum, { failures }) => sum + failures, 0);
}

export interface Removal {
  readonly change: Pick<IdentityState, "devices" | "lockout">;
  readonly entries: readonly EventEntry[];
}

/** The lockout of strangers with the failures of removed devices. */
function addFailuresOf(
  removed: readonly KnownDevice[],
  lockout: IdentityState["lockout"],
): IdentityState["lockout"] {
  const failedAttempts = lockout.failedAttempts + countDeviceFailures({ devices: removed });
  return { ...lockout, failedAttempts };
}

/** Removes devices. Their failures stay counted: with those of strangers. */
export function removeDevices(
  { devices, lockout }: Pick<IdentityState, "devices" | "lockout">,
  reason: RemovalReason,
  isRemoved: (device: KnownDevice) => boolean = () => true,
): Removal {
  const removed = devices.filter(isRemoved);
  return {
    change: {
      devices: devices.filter((device) => !removed.includes(device)),
      lockout: addFailuresOf(removed, lockout),
    },
    entries: removed.map(({ id }) => ({
      action: "device.removed",
      outcome: "success",
      reason,
      details: { device_id: id },
    })),
  };
}

/** Removes one device at the request of the tenant's backend. */
export function removeDevice(state: IdentityState, call: GuardCall, id: string): Transition<void> {
  if (!listDevices(state, call.now).some((device) => device.id === id)) {
    return refuse(state, call, "device.removed", { code: "device_not_found" });
  }
  const { change, entries } = removeDevices(state, "requested", (device) => device.id === id);
  return applyChange(state, change, entries, succeed(undefined), call.now);
}

export function removeAllDevices(state: IdentityState, call: GuardCall): Transition<void> {
  if (state.devices.length === 0) return { state, entries: [], result: succeed(undefined) };
  const { change, entries } = removeDevices(state, "requested");
  return applyChange(state, change, entries, succeed(undefined), call.now);
}

/** Adds a device, for which an expired one or the oldest makes room. */
function addDevice(
  before: Pick<IdentityState, "devices" | "lockout">,
  device: KnownDevice,
): Removal {
  const expired = removeDevices(before, "expired", (one) => one.expiresAt <= device.createdAt);
  const { devices } = expired.change;
  const oldest = devices.slice(0, Math.max(0, devices.length + 1 - maxDevices));
  const bounded = removeDevices(expired.change, "limit", (one) => oldest.includes(one));
  return {
    change: { ...bounded.change, devices: [...bounded.change.devices, device] },
    entries: [...expired.entries, ...bounded.entries, describeRemembered(device)],
  };
}

function describeRemembered({ id, expiresAt }: KnownDevice): EventEntry {
  return {
    action: "device.remembered",
    outcome: "success",
    details: { device_id: id, expires_at: new Date(expiresAt).toISOString() },
  };
}

/** Names the known device in the event of the attempt. */
function nameDevice(entry: EventEntry, { id }: KnownDevice): EventEntry {
  const isAttempt = entry.action === "otp.verified" || entry.action === "passkey.verified";
  if (!isAttempt || entry.outcome !== "success") return entry;
  return { ...entry, details: { ...entry.details, device_id: id } };
}

/** The known device after a factor was verified on it. */
function renewDevice(
  device: KnownDevice,
  { now, device: request }: GuardCall,
  passkeyId: string | null,
): KnownDevice {
  const remember = request?.remember ?? null;
  return {
    ...device,
    lastUsedAt: now,
    // The answer of a passkey gives nobody fresh guesses at codes.
    failures: passkeyId === null ? 0 : device.failures,
    ...(remember === null
      ? {}
      : { name: remember.name ?? device.name, expiresAt: now + remember.days * dayMs }),
  };
}

/**
 * Adds to an accepted attempt what it means for devices. On a known device, it leaves the failures and the lock of
 * strangers as they are. A device that asks for it is remembered, or is remembered for longer.
 * @param passkeyId the passkey that was verified; null: a code
 */
export function applyDevice<T extends object>(
  before: IdentityState,
  call: GuardCall,
  verified: Transition<T>,
  passkeyId: string | null,
): Transition<T & AddedDevice> {
  const { result } = verified;
  if (!result.ok) return verified;
  const known = findDevice(before, call);
  const { state, entries, device } =
    known === undefined
      ? rememberDevice(verified, call, passkeyId)
      : verifyOnDevice(before, call, verified, known, passkeyId);
  const shown = device ?? describeDevice(state, call, undefined);
  const value = shown === undefined ? result.value : { ...result.value, device: shown };
  return { ...verified, state, entries, result: { ...result, value } };
}

/** What an accepted attempt leaves. */
interface Applied extends Pick<Transition<unknown>, "state" | "entries"> {
  /** Undefined if the request comes from no known device, and none was remembered. */
  readonly device: DeviceAnswer | undefined;
}

function verifyOnDevice(
  before: IdentityState,
  call: GuardCall,
  verified: Transition<unknown>,
  known: KnownDevice,
  passkeyId: string | null,
): Applied {
  const entries = verified.entries.map((entry) => nameDevice(entry, known));
  // The attempt may have removed all devices, with a new secret.
  if (!verified.state.devices.includes(known)) {
    const others = before.devices.filter((device) => device !== known);
    const { failedBeforeEnrolment } = before.lockout;
    const lockout = {
      ...addFailuresOf(others, before.lockout),
      // Its own failures are taken back, also from those before the enrolment.
      failedBeforeEnrolment: before.otpDisabled
        ? Math.max(0, failedBeforeEnrolment - known.failures)
        : failedBeforeEnrolment,
    };
    return rememberDevice({ state: { ...verified.state, lockout }, entries }, call, passkeyId);
  }
  const state = { ...verified.state, lockout: before.lockout };
  const renewed = renewDevice(known, call, passkeyId);
  const devices = state.devices.map((one) => (one === known ? renewed : one));
  return {
    state: { ...state, devices },
    entries: call.device?.remember ? [...entries, describeRemembered(renewed)] : entries,
    device: { status: "known", ...describeTimes(renewed) },
  };
}

/** Remembers a new device, if the request asks for it. */
function rememberDevice(
  { state, entries }: Pick<Transition<unknown>, "state" | "entries">,
  { now, session, device: request }: GuardCall,
  passkeyId: string | null,
): Applied {
  if (request?.remember == null || request.created === undefined) {
    return { state, entries, device: undefined };
  }
  const { days, name } = request.remember;
  const device: KnownDevice = {
    ...request.created,
    name,
    createdAt: now,
    lastUsedAt: now,
    failures: 0,
    expiresAt: now + days * dayMs,
    passkeyId,
    assessmentId: session?.assessmentId ?? null,
  };
  const added = addDevice(state, device);
  return {
    state: { ...state, ...added.change },
    entries: [...entries, ...added.entries],
    device: { status: "new", ...describeTimes(device) },
  };
}
