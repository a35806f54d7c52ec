import { describe, expect, test } from "vitest";
import { decideWithinLimit, rateQuotas } from "../../../src/guard/decisions/rate-limit.ts";
import type { IdentityState, RateKind } from "../../../src/guard/decisions/state.ts";
import {
  type GuardCall,
  succeed,
  type Transition,
} from "../../../src/guard/decisions/transition.ts";
import { buildIdentity, callAt, exampleDevice, now } from "./example.ts";

const { requests, windowSeconds } = rateQuotas.attempts;

function attempt(
  state: IdentityState,
  call: GuardCall,
  kind: RateKind = "attempts",
): Transition<"decided"> {
  const decide = decideWithinLimit(kind, "otp.verified", call, (present) => ({
    state: { ...present, updatedAt: call.now },
    entries: [],
    result: succeed("decided" as const),
  }));
  return decide(state);
}

/** Returns the state after this many attempts at one time. */
function attemptRepeatedly(count: number, at: number, state = buildIdentity()): IdentityState {
  let present = state;
  for (let n = 0; n < count; n += 1) present = attempt(present, callAt(at)).state;
  return present;
}

describe("A rate limit of an identity", () => {
  test("has the quotas per minute that the README states", () => {
    expect(rateQuotas).toEqual({
      attempts: { requests: 300, windowSeconds: 60 },
      passkeys: { requests: 300, windowSeconds: 60 },
      devices: { requests: 300, windowSeconds: 60 },
      assessments: { requests: 300, windowSeconds: 60 },
      provisioning: { requests: 60, windowSeconds: 60 },
    });
  });

  test("reports whole seconds until the end of its window", () => {
    const state = attemptRepeatedly(1, now);
    const resetAt = (ms: number) => attempt(state, callAt(now + ms)).result.rate?.resetSeconds;
    expect([0, 999, 1_000, 1_999, 59_999].map(resetAt)).toEqual([60, 60, 59, 59, 1]);
  });

  test("allows the whole quota and reports what remains", () => {
    const { result } = attempt(attemptRepeatedly(requests - 1, now), callAt(now + 10_000));
    expect(result).toMatchObject({
      ok: true,
      rate: { name: "attempts", requests, windowSeconds, remaining: 0, resetSeconds: 50 },
    });
  });

  test("refuses the next request before the decision, with the seconds to wait, and reports it", () => {
    const state = attemptRepeatedly(requests, now);
    const { result, state: next, entries } = attempt(state, callAt(now + 10_001));
    expect(result).toMatchObject({
      ok: false,
      error: { code: "rate_limited", retryAfterSeconds: 50 },
      rate: { remaining: 0 },
    });
    expect(next.updatedAt).toBe(state.updatedAt);
    expect(next.lockout).toEqual(state.lockout);
    expect(entries).toMatchObject([{ action: "otp.verified", reason: "rate_limited" }]);
  });

  test("starts again at the end of its window, not earlier", () => {
    const state = attemptRepeatedly(requests, now);
    const end = now + windowSeconds * 1000;
    expect(attempt(state, callAt(end - 1)).result.ok).toBe(false);
    expect(attempt(state, callAt(end)).result).toMatchObject({
      ok: true,
      rate: { remaining: requests - 1 },
    });
  });

  test("counts each kind separately", () => {
    const state = attemptRepeatedly(requests, now);
    const assess = attempt(state, callAt(now), "assessments");
    expect(assess.result.ok).toBe(true);
    expect(assess.state.rates.attempts?.count).toBe(requests);
  });

  test("counts a request from a known device against the limit of devices alone", () => {
    const state = attemptRepeatedly(requests, now, buildIdentity({ devices: [exampleDevice] }));
    const device = { digest: exampleDevice.digest, remember: null };
    const { result, state: next } = attempt(state, { ...callAt(now), device });
    expect(result).toMatchObject({ ok: true, rate: { name: "devices", remaining: requests - 1 } });
    expect(next.rates.attempts?.count).toBe(requests);
  });

  test("counts a request that was overtaken, and starts again when the clock is set back", () => {
    const state = attemptRepeatedly(requests, now);
    expect(attempt(state, callAt(now - 1)).result.ok).toBe(false);
    expect(attempt(state, callAt(now - windowSeconds * 1000)).result.ok).toBe(true);
  });
});
