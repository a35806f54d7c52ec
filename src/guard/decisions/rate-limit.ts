/**
 * Rate limits of one identity (pure): how many requests of a kind it takes in a time, whatever token they
 * come with. They keep a client gone wild from filling an identity's trail; guesses are the lockout's
 * business. Windows are fixed and begin with their first request.
 */
import { refuse } from "./refusals.ts";
import type { IdentityState, RateKind, RateWindow, RefusableAction } from "./state.ts";
import type { GuardCall, GuardError, Rate, Transition } from "./transition.ts";

/** Far above what a person does, and what a backend does for one. */
export const rateQuotas: Readonly<
  Record<RateKind, { readonly requests: number; readonly windowSeconds: number }>
> = {
  attempts: { requests: 300, windowSeconds: 60 },
  assessments: { requests: 300, windowSeconds: 60 },
  provisioning: { requests: 60, windowSeconds: 60 },
};

function windowAt(window: RateWindow | undefined, windowMs: number, now: number): RateWindow {
  // A request may have been overtaken by the one that began the window.
  const isPresent = window !== undefined && Math.abs(now - window.startedAt) < windowMs;
  return isPresent ? window : { startedAt: now, count: 0 };
}

/** Decides within the quota; beyond it the request is refused and not evaluated. */
export function applyRateLimit<T>(
  kind: RateKind,
  action: RefusableAction,
  state: IdentityState,
  call: GuardCall,
  decide: (state: IdentityState) => Transition<T>,
): Transition<T> {
  const { requests, windowSeconds } = rateQuotas[kind];
  const window = windowAt(state.rates[kind], windowSeconds * 1000, call.now);
  const passed = Math.max(0, call.now - window.startedAt);
  const resetSeconds = windowSeconds - Math.floor(passed / 1000);
  const rate = (remaining: number): Rate => ({
    ...{ name: kind, requests, windowSeconds, resetSeconds },
    remaining,
  });
  if (window.count >= requests) {
    const error: GuardError = { code: "rate_limited", retryAfterSeconds: resetSeconds };
    const refused = refuse<T>(state, call, action, error);
    return { ...refused, result: { ...refused.result, rate: rate(0) } };
  }
  const counted = { ...window, count: window.count + 1 };
  const decided = decide(state);
  return {
    ...decided,
    state: { ...decided.state, rates: { ...decided.state.rates, [kind]: counted } },
    result: { ...decided.result, rate: rate(requests - counted.count) },
  };
}
