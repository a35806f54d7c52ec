/**
 * Rate limits of one identity (pure): how many requests of a kind it accepts per window, from all tokens
 * together. They keep a faulty client from filling the identity's audit trail; guessing is bounded by the
 * lockout. Windows are fixed and start with their first request.
 */
import { findDevice } from "./devices.ts";
import { refuse } from "./refusals.ts";
import type { IdentityState, RateKind, RateWindow, RefusableAction } from "./state.ts";
import type { GuardCall, GuardError, Rate, Transition } from "./transition.ts";

/** Far above what a person does, or what a backend does for one person. */
export const rateQuotas: Readonly<
  Record<RateKind, { readonly requests: number; readonly windowSeconds: number }>
> = {
  attempts: { requests: 300, windowSeconds: 60 },
  passkeys: { requests: 300, windowSeconds: 60 },
  /** Codes, passkeys and assessments from known devices: those of strangers must not use them up. */
  devices: { requests: 300, windowSeconds: 60 },
  assessments: { requests: 300, windowSeconds: 60 },
  provisioning: { requests: 60, windowSeconds: 60 },
};

/** What a rate limit says about one request. */
interface RateCheck {
  readonly isWithin: boolean;
  /** The window to store: with this request counted if it is within the limit. */
  readonly window: RateWindow;
  /** What the answer reports. */
  readonly rate: Rate;
}

function findWindow(window: RateWindow | undefined, windowMs: number, now: number): RateWindow {
  // The request that started the window may have overtaken this one, so `now` may lie before it.
  const isPresent = window !== undefined && Math.abs(now - window.startedAt) < windowMs;
  return isPresent ? window : { startedAt: now, count: 0 };
}

/** @param now Unix ms */
function checkRateLimit(kind: RateKind, state: IdentityState, now: number): RateCheck {
  const { requests, windowSeconds } = rateQuotas[kind];
  const before = findWindow(state.rates[kind], windowSeconds * 1000, now);
  const isWithin = before.count < requests;
  const window = isWithin ? { ...before, count: before.count + 1 } : before;
  const elapsedMs = Math.max(0, now - window.startedAt);
  const rate = {
    name: kind,
    requests,
    windowSeconds,
    remaining: Math.max(0, requests - window.count),
    resetSeconds: windowSeconds - Math.floor(elapsedMs / 1000),
  };
  return { isWithin, window, rate };
}

/** The limit that a request counts against: one from a known device has its own. */
function checkRequest(kind: RateKind, state: IdentityState, call: GuardCall): RateCheck {
  const isKnown = findDevice(state, call) !== undefined;
  return checkRateLimit(isKnown ? "devices" : kind, state, call.now);
}

/** Whether `decideWithinLimit` would evaluate the request now. */
export function isWithinLimit(kind: RateKind, state: IdentityState, call: GuardCall): boolean {
  return checkRequest(kind, state, call).isWithin;
}

/** Refuses a request above the limit, without evaluating it. */
function refuseAboveLimit<T>(
  state: IdentityState,
  call: GuardCall,
  action: RefusableAction,
  { rate }: RateCheck,
): Transition<T> {
  const error: GuardError = { code: "rate_limited", retryAfterSeconds: rate.resetSeconds };
  const refused = refuse<T>(state, call, action, error);
  return { ...refused, result: { ...refused.result, rate } };
}

/** Adds the counted request to a decision within the limit. */
function countRequest<T>(decided: Transition<T>, { window, rate }: RateCheck): Transition<T> {
  const rates = { ...decided.state.rates, [rate.name]: window };
  return {
    ...decided,
    state: { ...decided.state, rates },
    result: { ...decided.result, rate },
  };
}

/**
 * Counts a request against a rate limit, and decides on it if it is within the limit. One from a known device counts
 * against the limit of devices. A symbol that `decide` returns is passed on, and nothing is counted.
 */
export function decideWithinLimit<T>(
  kind: RateKind,
  action: RefusableAction,
  call: GuardCall,
  decide: (state: IdentityState) => Transition<T>,
): (state: IdentityState) => Transition<T>;
export function decideWithinLimit<T, NotDecided extends symbol>(
  kind: RateKind,
  action: RefusableAction,
  call: GuardCall,
  decide: (state: IdentityState) => Transition<T> | NotDecided,
): (state: IdentityState) => Transition<T> | NotDecided;
export function decideWithinLimit<T, NotDecided extends symbol>(
  kind: RateKind,
  action: RefusableAction,
  call: GuardCall,
  decide: (state: IdentityState) => Transition<T> | NotDecided,
): (state: IdentityState) => Transition<T> | NotDecided {
  return (state) => {
    const limit = checkRequest(kind, state, call);
    if (!limit.isWithin) return refuseAboveLimit<T>(state, call, action, limit);
    const decided = decide(state);
    return typeof decided === "symbol" ? decided : countRequest(decided, limit);
  };
}
