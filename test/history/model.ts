/**
 * One identity as the contract describes it, with one call after the other: what each is answered,
 * and what the trail tells of it. Written without the service's own code, so that a mistake there is
 * not made here again.
 */

export interface Policy {
  readonly maxFailedAttempts: number;
  readonly lockSeconds: number;
  readonly maxLockSeconds: number;
  readonly disableAfter: number;
}

/** What a client asks. Secrets and sets are named by the call that made them. */
export type Operation =
  /** Six digits: for each secret whose code they are, the newest step in the window of the call. */
  | { readonly kind: "totp"; readonly steps: Readonly<Record<number, number>> }
  /** A backup code, and of which set it is; null: of none. */
  | { readonly kind: "backup code"; readonly set: number | null; readonly index: number }
  | { readonly kind: "configure" | "regenerate" | "unlock" | "suspend" | "reactivate" }
  | { readonly kind: "read" }
  /** What the trail has told, once nothing waits any more. */
  | { readonly kind: "trail" };

export interface Call {
  readonly id: number;
  /** Unix ms. */
  readonly at: number;
  readonly operation: Operation;
}

export interface State {
  readonly suspended: boolean;
  readonly secret: number;
  /** The newest step accepted of the secret. */
  readonly lastStep: number | null;
  readonly disabled: boolean;
  readonly set: number;
  readonly spent: readonly number[];
  /** In a row, since the last success or unlock. */
  readonly failures: number;
  readonly failuresThisRound: number;
  /** `failures` when a disabled TOTP was configured anew. */
  readonly failuresBefore: number;
  readonly locks: number;
  readonly lockedUntil: number | null;
  readonly lastVerifiedAt: number | null;
  /** Events so far, by what they say; refused attempts by their sum. */
  readonly told: Readonly<Record<string, number>>;
}

export interface Outcome {
  readonly answer: string;
  readonly state: State;
}

/** The name of the secret and of the set that an identity has when a history begins. */
export const first = 0;

export const codesPerSet = 10;

const forgotten = {
  failures: 0,
  failuresThisRound: 0,
  failuresBefore: 0,
  locks: 0,
  lockedUntil: null,
};

/** Provisioned, configured, with ten backup codes. */
export const initial: State = {
  ...forgotten,
  suspended: false,
  secret: first,
  lastStep: null,
  disabled: false,
  set: first,
  spent: [],
  lastVerifiedAt: null,
  told: {
    "user.provisioned success": 1,
    "otp.configured success": 1,
    "backup_codes.generated success": 1,
  },
};

export function time(at: number | null): string {
  return at === null ? "-" : new Date(at).toISOString();
}

/** The answers as one line each: what the model says of a call is compared with what was received. */
export const answers = {
  accepted: (method: string, remaining: number | undefined) =>
    remaining === undefined ? `200 ${method}` : `200 ${method}, ${remaining} left`,
  wrong: (remaining: number, lockedUntil: number | null) =>
    `422 invalid_code, ${remaining} attempts left, locked until ${time(lockedUntil)}`,
  locked: (until: number, seconds: number) => `423 user_locked until ${time(until)}, ${seconds} s`,
  disabled: "423 otp_disabled",
  suspended: "403 user_suspended",
  made: "200 made",
  profile: (of: {
    readonly status: string;
    readonly failed: number;
    readonly lockedUntil: number | null;
    readonly codes: number;
    readonly lastVerifiedAt: number | null;
  }) =>
    `200 ${of.status}, ${of.failed} failed, locked until ${time(of.lockedUntil)}, ${of.codes} codes, last verified ${time(of.lastVerifiedAt)}`,
  trail: (told: Readonly<Record<string, number>>) =>
    Object.keys(told)
      .sort()
      .map((event) => `${told[event]} × ${event}`)
      .join("; "),
};

function telling(state: State, ...events: readonly string[]): State {
  const told = { ...state.told };
  for (const event of events) told[event] = (told[event] ?? 0) + 1;
  return { ...state, told };
}

function isLocked({ lockedUntil }: State, at: number): boolean {
  return lockedUntil !== null && at < lockedUntil;
}

function profile(state: State, at: number): string {
  const locked = isLocked(state, at);
  return answers.profile({
    status: state.suspended ? "suspended" : locked ? "locked" : "active",
    failed: state.failures,
    lockedUntil: locked ? state.lockedUntil : null,
    codes: codesPerSet - state.spent.length,
    lastVerifiedAt: state.lastVerifiedAt,
  });
}

function changed(state: State, change: Partial<State>, event: string, at: number): Outcome {
  const after = telling({ ...state, ...change }, event);
  return { answer: profile(after, at), state: after };
}

/** Why no code is looked at now. */
function bar(state: State, at: number): { answer: string; code: string } | undefined {
  if (state.suspended) return { answer: answers.suspended, code: "user_suspended" };
  if (state.lockedUntil !== null && at < state.lockedUntil) {
    const seconds = Math.ceil((state.lockedUntil - at) / 1000);
    return { answer: answers.locked(state.lockedUntil, seconds), code: "user_locked" };
  }
  return state.disabled ? { answer: answers.disabled, code: "otp_disabled" } : undefined;
}

function accept(state: State, method: string, remaining: number | undefined, at: number): Outcome {
  return {
    answer: answers.accepted(method, remaining),
    state: telling({ ...state, ...forgotten, lastVerifiedAt: at }, "otp.verified success"),
  };
}

function reject(state: State, policy: Policy, reason: string, at: number): Outcome {
  const failures = state.failures + 1;
  const round = state.failuresThisRound + 1;
  const locks = round === policy.maxFailedAttempts;
  const untilDisabled = policy.disableAfter - (failures - state.failuresBefore);
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
    state: telling(
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

function refuse(state: State, answer: string, event: string): Outcome {
  return { answer, state: telling(state, event) };
}

/** What the call is answered, and what is so from then on. */
export function apply(policy: Policy, state: State, { id, at, operation }: Call): Outcome {
  switch (operation.kind) {
    case "totp": {
      const barred = bar(state, at);
      if (barred) return refuse(state, barred.answer, `otp.verified refused ${barred.code}`);
      const step = operation.steps[state.secret];
      if (step === undefined) return reject(state, policy, "invalid_code", at);
      if (state.lastStep !== null && step <= state.lastStep) {
        return reject(state, policy, "replayed_code", at);
      }
      return accept({ ...state, lastStep: step }, "totp", undefined, at);
    }
    case "backup code": {
      const barred = bar(state, at);
      if (barred) return refuse(state, barred.answer, `otp.verified refused ${barred.code}`);
      const { set, index } = operation;
      if (set !== state.set) return reject(state, policy, "invalid_code", at);
      if (state.spent.includes(index)) return reject(state, policy, "spent_code", at);
      const spent = [...state.spent, index].sort((a, b) => a - b);
      return accept({ ...state, spent }, "backup_code", codesPerSet - spent.length, at);
    }
    case "configure": {
      if (state.suspended) {
        return refuse(state, answers.suspended, "otp.configured refused user_suspended");
      }
      const failuresBefore = state.disabled ? state.failures : state.failuresBefore;
      const fresh = { secret: id, lastStep: null, disabled: false, failuresBefore };
      return {
        answer: answers.made,
        state: telling({ ...state, ...fresh }, "otp.configured success"),
      };
    }
    case "regenerate":
      if (state.suspended) {
        return refuse(state, answers.suspended, "backup_codes.generated refused user_suspended");
      }
      return {
        answer: answers.made,
        state: telling({ ...state, set: id, spent: [] }, "backup_codes.generated success"),
      };
    case "unlock":
      return changed(state, forgotten, "user.unlocked success", at);
    case "suspend":
      return changed(state, { suspended: true }, "user.suspended success", at);
    case "reactivate":
      return changed(state, { suspended: false }, "user.reactivated success", at);
    case "read":
      return { answer: profile(state, at), state };
    case "trail":
      return { answer: answers.trail(state.told), state };
  }
}
