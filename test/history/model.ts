/**
 * One identity as the contract describes it, with sequential calls: the answer to each call, and its
 * events in the trail. It does not use the service's code, so that it does not share its mistakes.
 */

export interface Policy {
  readonly maxFailedAttempts: number;
  readonly lockSeconds: number;
  readonly maxLockSeconds: number;
  readonly disableAfter: number;
}

/** A request of a client. A secret or set has the id of the call that created it. */
export type Operation =
  /** Six digits. `steps`: for each secret for which they are valid, the newest step in the window. */
  | {
      readonly kind: "totp";
      readonly code: string;
      readonly steps: Readonly<Record<number, number>>;
    }
  /** A backup code and its set; null when it belongs to no set. */
  | { readonly kind: "backup code"; readonly set: number | null; readonly index: number }
  /** An answer of the passkey, by its challenge. */
  | { readonly kind: "passkey"; readonly challenge: number; readonly issuedAt: number }
  /** The guard has lost its storage and loads the record, in which challenges are not. */
  | { readonly kind: "rehydrate" }
  | { readonly kind: "configure" | "add" | "regenerate" | "unlock" | "suspend" | "reactivate" }
  /** Removes an added secret. */
  | { readonly kind: "remove"; readonly secret: number }
  | { readonly kind: "read" }
  /** A read of the trail after all events have been delivered. */
  | { readonly kind: "trail" };

export interface Call {
  readonly id: number;
  /** Unix ms. */
  readonly at: number;
  readonly operation: Operation;
  /** The device whose token came with a code or passkey: the id of the call in which it was remembered. */
  readonly device?: number;
  /** The device is to be remembered. */
  readonly remembers?: boolean;
}

interface Device {
  readonly id: number;
  /** Wrong codes since its last right one. */
  readonly failures: number;
}

interface Secret {
  readonly id: number;
  /** The newest accepted step. */
  readonly lastStep: number | null;
}

export interface State {
  readonly suspended: boolean;
  /** The primary secret, and those that were added. */
  readonly primary: Secret;
  readonly added: readonly Secret[];
  readonly disabled: boolean;
  readonly set: number;
  readonly spent: readonly number[];
  /** Consecutive failures since the last success or unlock. */
  readonly failures: number;
  readonly failuresThisRound: number;
  /** The value of `failures` when disabled TOTP was last configured again. */
  readonly failuresBefore: number;
  readonly locks: number;
  readonly lockedUntil: number | null;
  readonly lastVerifiedAt: number | null;
  /** Challenges whose answers were accepted. */
  readonly spentChallenges: readonly number[];
  /** Challenges that were issued at this time or before it are refused. */
  readonly floor: number;
  readonly devices: readonly Device[];
  /** The code accepted last, while its secret or set is the present one. */
  readonly last:
    | { readonly kind: "totp"; readonly code: string; readonly secret: number }
    | { readonly kind: "backup code"; readonly code: number }
    | null;
  /** Number of events so far, by action, outcome and reason. Refused attempts add their `count`. */
  readonly events: Readonly<Record<string, number>>;
}

export interface Outcome {
  readonly answer: string;
  readonly state: State;
}

/** The id of the secret and the set that an identity has when a history begins. */
export const first = 0;

export const codesPerSet = 10;
const maxSecrets = 5;
const maxDeviceFailures = 5;
const challengeLifetimeMs = 300_000;

const noFailures = {
  failures: 0,
  failuresThisRound: 0,
  failuresBefore: 0,
  locks: 0,
  lockedUntil: null,
};

/** A provisioned and configured identity with a passkey and ten backup codes. */
export const initial: State = {
  ...noFailures,
  suspended: false,
  primary: { id: first, lastStep: null },
  added: [],
  disabled: false,
  set: first,
  spent: [],
  lastVerifiedAt: null,
  spentChallenges: [],
  floor: 0,
  devices: [],
  last: null,
  events: {
    "user.provisioned success": 1,
    "passkey.registered success": 1,
    "otp.configured success": 1,
    "backup_codes.generated success": 1,
  },
};

export function time(at: number | null): string {
  return at === null ? "-" : new Date(at).toISOString();
}

/** One line for each answer. The checker compares the model's line with the one received. */
export const answers = {
  accepted: (method: string, remaining: number | undefined, device?: string) =>
    [
      `200 ${method}`,
      ...(remaining === undefined ? [] : [`${remaining} left`]),
      ...(device === undefined ? [] : [`${device} device`]),
    ].join(", "),
  wrong: (remaining: number, lockedUntil: number | null) =>
    `422 invalid_code, ${remaining} attempts left, locked until ${time(lockedUntil)}`,
  alreadyUsed: (remaining: number) => `422 code_already_used, ${remaining} attempts left`,
  locked: (until: number, seconds: number) => `423 user_locked until ${time(until)}, ${seconds} s`,
  refusedChallenge: "422 invalid_passkey challenge",
  disabled: "423 otp_disabled",
  suspended: "403 user_suspended",
  created: "200 created",
  added: "201 added",
  removed: "204 removed",
  tooMany: "409 too_many",
  notFound: "404 authenticator_not_found",
  profile: (of: {
    readonly status: string;
    readonly failed: number;
    readonly lockedUntil: number | null;
    readonly codes: number;
    readonly lastVerifiedAt: number | null;
  }) =>
    `200 ${of.status}, ${of.failed} failed, locked until ${time(of.lockedUntil)}, ${of.codes} codes, last verified ${time(of.lastVerifiedAt)}`,
  trail: (events: Readonly<Record<string, number>>) =>
    Object.keys(events)
      .sort()
      .map((event) => `${events[event]} × ${event}`)
      .join("; "),
};

function addEvents(state: State, ...added: readonly string[]): State {
  const events = { ...state.events };
  for (const event of added) events[event] = (events[event] ?? 0) + 1;
  return { ...state, events };
}

function isLocked({ lockedUntil }: State, at: number): boolean {
  return lockedUntil !== null && at < lockedUntil;
}

function profileLineOf(state: State, at: number): string {
  const locked = isLocked(state, at);
  return answers.profile({
    status: state.suspended ? "suspended" : locked ? "locked" : "active",
    failed: state.failures,
    lockedUntil: locked ? state.lockedUntil : null,
    codes: codesPerSet - state.spent.length,
    lastVerifiedAt: state.lastVerifiedAt,
  });
}

function applyChange(state: State, change: Partial<State>, event: string, at: number): Outcome {
  const after = addEvents({ ...state, ...change }, event);
  return { answer: profileLineOf(after, at), state: after };
}

/** The answer and the reason when codes are refused now; undefined when they are evaluated. */
function findRefusal(state: State, call: Call): { answer: string; code: string } | undefined {
  const { at } = call;
  if (state.suspended) return { answer: answers.suspended, code: "user_suspended" };
  const isStranger = findDevice(state, call) === undefined;
  if (isStranger && state.lockedUntil !== null && at < state.lockedUntil) {
    const seconds = Math.ceil((state.lockedUntil - at) / 1000);
    return { answer: answers.locked(state.lockedUntil, seconds), code: "user_locked" };
  }
  return state.disabled ? { answer: answers.disabled, code: "otp_disabled" } : undefined;
}

function findDevice({ devices }: State, { device }: Call): Device | undefined {
  return devices.find(({ id }) => id === device);
}

function failuresOf(devices: readonly Device[]): number {
  return devices.reduce((sum, { failures }) => sum + failures, 0);
}

/** The failures of devices that are removed count from then on with those of strangers. */
function removeDevices(state: State, reason: string, removed = state.devices): State {
  const devices = state.devices.filter((device) => !removed.includes(device));
  const failures = state.failures + failuresOf(removed);
  return addEvents(
    { ...state, devices, failures },
    ...removed.map(() => `device.removed success ${reason}`),
  );
}

/** Adds to an accepted attempt what becomes of its device. */
function acceptFrom(
  state: State,
  call: Call,
  method: string,
  remaining: number | undefined,
): Outcome {
  const { id, at, device, remembers } = call;
  const known = findDevice(state, call);
  const isCode = method !== "passkey";
  const isAsked = device !== undefined || remembers || state.devices.length > 0;
  const status = known ? "known" : remembers ? "new" : device === undefined ? "none" : "unknown";
  const devices = known
    ? state.devices.map((one) => (one === known && isCode ? { ...one, failures: 0 } : one))
    : [...state.devices, ...(remembers ? [{ id, failures: 0 }] : [])];
  const counts = isCode && !known ? noFailures : {};
  return {
    answer: answers.accepted(method, remaining, isAsked ? status : undefined),
    state: addEvents(
      { ...state, ...counts, devices, lastVerifiedAt: at },
      isCode ? "otp.verified success" : "passkey.verified success",
      ...(remembers ? ["device.remembered success"] : []),
    ),
  };
}

/** A wrong code from a known device counts on that device. */
function rejectOnDevice(
  state: State,
  policy: Policy,
  device: Device,
  event: string,
  at: number,
): Outcome {
  const failed = { ...device, failures: device.failures + 1 };
  const devices = state.devices.map((one) => (one === device ? failed : one));
  const isRemoved = failed.failures === maxDeviceFailures;
  const counted = addEvents({ ...state, devices }, event);
  const after = isRemoved ? removeDevices(counted, "failures", [failed]) : counted;
  const untilDisabled = countUntilDisabled(after, policy);
  const untilRefused = isRemoved
    ? policy.maxFailedAttempts - after.failuresThisRound
    : maxDeviceFailures - failed.failures;
  const locked = isRemoved && isLocked(after, at);
  return {
    answer: answers.wrong(
      locked ? 0 : Math.min(untilRefused, untilDisabled),
      locked ? after.lockedUntil : null,
    ),
    state:
      untilDisabled === 0
        ? addEvents({ ...after, disabled: true }, "otp.disabled success too_many_failures")
        : after,
  };
}

function countUntilDisabled(state: State, policy: Policy): number {
  return policy.disableAfter - (state.failures - state.failuresBefore) - failuresOf(state.devices);
}

function reject(state: State, policy: Policy, reason: string, call: Call): Outcome {
  const { at } = call;
  const device = findDevice(state, call);
  if (device !== undefined) {
    return rejectOnDevice(state, policy, device, `otp.verified failure ${reason}`, at);
  }
  const failures = state.failures + 1;
  const round = state.failuresThisRound + 1;
  const locks = round === policy.maxFailedAttempts;
  const untilDisabled = countUntilDisabled({ ...state, failures }, policy);
  const seconds = Math.min(policy.lockSeconds * 2 ** state.locks, policy.maxLockSeconds);
  const lockedUntil = locks ? at + seconds * 1000 : state.lockedUntil;
  const events = [
    `otp.verified failure ${reason}`,
    ...(locks ? ["user.locked success too_many_failures"] : []),
    ...(untilDisabled === 0 ? ["otp.disabled success too_many_failures"] : []),
  ];
  return {
    answer: answers.wrong(
      Math.min(policy.maxFailedAttempts - round, untilDisabled),
      locks ? lockedUntil : null,
    ),
    state: addEvents(
      {
        ...state,
        failures,
        failuresThisRound: locks ? 0 : round,
        locks: state.locks + (locks ? 1 : 0),
        lockedUntil,
        disabled: untilDisabled === 0,
      },
      ...events,
    ),
  };
}

/** The answer to the code accepted last when it is sent again: no failure is counted. */
function refuseLastCode(state: State, policy: Policy, call: Call): Outcome {
  const device = findDevice(state, call);
  const remaining = Math.min(
    device === undefined
      ? policy.maxFailedAttempts - state.failuresThisRound
      : maxDeviceFailures - device.failures,
    countUntilDisabled(state, policy),
  );
  return refuse(state, answers.alreadyUsed(remaining), "otp.verified refused code_already_used");
}

function refuse(state: State, answer: string, event: string): Outcome {
  return { answer, state: addEvents(state, event) };
}

/** A new secret enables disabled TOTP, and the count until it is disabled again starts over. */
function enable(state: State): State {
  return state.disabled ? { ...state, disabled: false, failuresBefore: state.failures } : state;
}

/** Nothing is known of the codes of a secret that is gone. */
function forgetLastCode(state: State, secret: number): State {
  const isItsCode = state.last?.kind === "totp" && state.last.secret === secret;
  return isItsCode ? { ...state, last: null } : state;
}

/** Applies a call: returns its answer and the next state. */
export function apply(policy: Policy, state: State, call: Call): Outcome {
  const { id, at, operation } = call;
  switch (operation.kind) {
    case "totp": {
      const refusal = findRefusal(state, call);
      if (refusal) return refuse(state, refusal.answer, `otp.verified refused ${refusal.code}`);
      const { code, steps } = operation;
      const matching = [state.primary, ...state.added].filter(({ id }) => steps[id] !== undefined);
      const isSpent = matching.some(({ id, lastStep }) => (steps[id] ?? 0) <= (lastStep ?? -1));
      const [used] = matching;
      if (used !== undefined && !isSpent) {
        const last = { kind: "totp", code, secret: used.id } as const;
        // The code is spent for every secret that has it.
        const spend = ({ id, lastStep }: Secret) => ({ id, lastStep: steps[id] ?? lastStep });
        const secrets = { primary: spend(state.primary), added: state.added.map(spend) };
        return acceptFrom({ ...state, ...secrets, last }, call, "totp", undefined);
      }
      if (state.last?.kind === "totp" && state.last.code === code) {
        return refuseLastCode(state, policy, call);
      }
      return reject(state, policy, isSpent ? "replayed_code" : "invalid_code", call);
    }
    case "backup code": {
      const refusal = findRefusal(state, call);
      if (refusal) return refuse(state, refusal.answer, `otp.verified refused ${refusal.code}`);
      const { set, index } = operation;
      if (set !== state.set) return reject(state, policy, "invalid_code", call);
      if (state.last?.kind === "backup code" && state.last.code === index) {
        return refuseLastCode(state, policy, call);
      }
      if (state.spent.includes(index)) return reject(state, policy, "spent_code", call);
      const spent = [...state.spent, index].sort((a, b) => a - b);
      const last = { kind: "backup code", code: index } as const;
      return acceptFrom({ ...state, spent, last }, call, "backup_code", codesPerSet - spent.length);
    }
    case "passkey": {
      if (state.suspended) {
        return refuse(state, answers.suspended, "passkey.verified refused user_suspended");
      }
      const { challenge, issuedAt } = operation;
      const isExpired = at >= issuedAt + challengeLifetimeMs || issuedAt <= state.floor;
      if (isExpired || state.spentChallenges.includes(challenge)) {
        return refuse(state, answers.refusedChallenge, "passkey.verified refused challenge");
      }
      const spentChallenges = [...state.spentChallenges, challenge].sort((a, b) => a - b);
      return acceptFrom({ ...state, spentChallenges }, call, "passkey", undefined);
    }
    case "rehydrate":
      return { answer: "", state: { ...state, floor: Math.max(state.floor, at) } };
    case "configure": {
      if (state.suspended) {
        return refuse(state, answers.suspended, "otp.configured refused user_suspended");
      }
      const without = removeDevices(state, "otp_configured");
      const enabled = enable(forgetLastCode(without, without.primary.id));
      const fresh = { ...enabled, primary: { id, lastStep: null } };
      return { answer: answers.created, state: addEvents(fresh, "otp.configured success") };
    }
    case "add": {
      if (state.suspended) {
        return refuse(state, answers.suspended, "authenticator.added refused user_suspended");
      }
      if (1 + state.added.length >= maxSecrets) {
        return refuse(state, answers.tooMany, "authenticator.added refused too_many");
      }
      const enabled = enable(removeDevices(state, "otp_configured"));
      const more = { ...enabled, added: [...state.added, { id, lastStep: null }] };
      return { answer: answers.added, state: addEvents(more, "authenticator.added success") };
    }
    case "remove": {
      const added = state.added.filter((secret) => secret.id !== operation.secret);
      if (added.length === state.added.length) {
        const event = "authenticator.removed refused authenticator_not_found";
        return refuse(state, answers.notFound, event);
      }
      const without = removeDevices(state, "otp_removed");
      const fewer = { ...forgetLastCode(without, operation.secret), added };
      return { answer: answers.removed, state: addEvents(fewer, "authenticator.removed success") };
    }
    case "regenerate": {
      if (state.suspended) {
        return refuse(state, answers.suspended, "backup_codes.generated refused user_suspended");
      }
      const last = state.last?.kind === "backup code" ? null : state.last;
      const fresh = { set: id, spent: [], last };
      return {
        answer: answers.created,
        state: addEvents({ ...state, ...fresh }, "backup_codes.generated success"),
      };
    }
    case "unlock":
      return applyChange(state, noFailures, "user.unlocked success", at);
    case "suspend":
      return applyChange(
        removeDevices(state, "user_suspended"),
        { suspended: true, floor: Math.max(state.floor, at) },
        "user.suspended success",
        at,
      );
    case "reactivate":
      return applyChange(state, { suspended: false }, "user.reactivated success", at);
    case "read":
      return { answer: profileLineOf(state, at), state };
    case "trail":
      return { answer: answers.trail(state.events), state };
  }
}
