/** The way from the edge to an identity's guard. */

import type { Actor } from "../audit/event.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { AppError } from "../errors.ts";
import type { FirstRequest, RequestKey } from "../idempotency/request-key.ts";
import { noLocation, stubFor, type Location } from "../location.ts";
import { causeOf, log } from "../log.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import type { GuardCall, GuardError, GuardResult, Rate } from "./decisions/transition.ts";
import type { SentDelivery } from "./delivery/batcher.ts";
import type { IdentityGuard } from "./identity-guard.ts";

/** What of a request the guard needs to know. */
export interface GuardCaller {
  readonly env: Env;
  readonly caller: Pick<TenantCaller, "tenantId" | "location">;
  readonly actor: Actor;
  readonly now: number;
  readonly requestId: string;
  readonly requestKey: RequestKey | null;
  /** Hears what the guard says besides its answer. */
  readonly onGuardNotice: (news: { readonly rate?: Rate; readonly first?: FirstRequest }) => void;
}

type Ask<T> = (guard: DurableObjectStub<IdentityGuard>, call: GuardCall) => Promise<GuardResult<T>>;

function guardName(tenantId: string, identityId: string): string {
  return `${tenantId}:${identityId}`;
}

function guardOf({ env, caller }: GuardCaller, identityId: string) {
  return stubFor(env.GUARD, guardName(caller.tenantId, identityId), caller.location);
}

function appErrorOf(error: GuardError, now: number): AppError {
  const { code, attemptsRemaining, lockedUntil, retryAfterSeconds } = error;
  const lockedUntilText = lockedUntil ? new Date(lockedUntil).toISOString() : null;
  switch (code) {
    case "invalid_code":
      return new AppError(code, {
        fields: { attempts_remaining: attemptsRemaining, locked_until: lockedUntilText },
      });
    case "user_locked": {
      const seconds = Math.max(1, Math.ceil(((lockedUntil ?? now) - now) / 1000));
      return new AppError(code, {
        fields: { locked_until: lockedUntilText, retry_after_seconds: seconds },
        headers: { "Retry-After": String(seconds) },
      });
    }
    case "otp_disabled":
      // No Retry-After: waiting does not help, only a new secret does.
      return new AppError(code, { fields: { locked_until: null, retry_after_seconds: null } });
    case "rate_limited":
      return new AppError(code, {
        headers: { "Retry-After": String(retryAfterSeconds) },
        isRecorded: true,
      });
    default:
      return new AppError(code);
  }
}

/**
 * Asks an identity's guard once.
 * @throws AppError with the guard's error; `unavailable` when the guard does not answer. What was
 *   asked may then have happened, so nothing is tried twice here.
 */
export async function askGuard<T>(
  caller: GuardCaller,
  identityId: string,
  ask: Ask<T>,
): Promise<T> {
  const { actor, now, requestId, requestKey } = caller;
  const { tenantId, location } = caller.caller;
  const { jurisdiction } = location;
  const call: GuardCall = { tenantId, identityId, now, requestId, actor, jurisdiction, requestKey };
  let result: GuardResult<T>;
  try {
    result = await ask(guardOf(caller, identityId), call);
  } catch (error) {
    log("error", "guard_unreachable", { request_id: requestId, cause: causeOf(error) });
    throw new AppError("unavailable");
  }
  caller.onGuardNotice(result);
  if (result.ok) return result.value;
  // A repeated answer counts its seconds from when it was given first.
  throw appErrorOf(result.error, result.first?.at ?? now);
}

/** As `askGuard`, for what changes nothing: tried once more, so a guard that moves is no outage. */
export async function readGuard<T>(
  caller: GuardCaller,
  identityId: string,
  ask: Ask<T>,
): Promise<T> {
  return await askGuard(caller, identityId, async (guard, call) => {
    try {
      return await ask(guard, call);
    } catch {
      return await ask(guardOf(caller, identityId), call);
    }
  });
}

/**
 * Has a guard seal all it holds anew; whether it is under that version now.
 * @param passes those before this one: what they left over, D1 has not heard of from its guard
 */
export async function resealGuard(
  env: Env,
  owner: Owner,
  location: Location,
  { version, passes }: { readonly version: number; readonly passes: number },
): Promise<boolean> {
  try {
    const stub = stubFor(env.GUARD, guardName(owner.tenantId, owner.identityId), location);
    const result = await stub.reseal(owner, passes > 0);
    return result.ok && result.value === version;
  } catch (error) {
    log("error", "guard_unreachable", { tenant_id: owner.tenantId, cause: causeOf(error) });
    return false;
  }
}

/** Has the guard deliver what it still holds; if it cannot now, its alarm does later. */
export async function requestDelivery(caller: GuardCaller, identityId: string): Promise<void> {
  try {
    await guardOf(caller, identityId).deliver();
  } catch {
    // Its alarm goes on.
  }
}

/**
 * Tells a guard that D1 has what it sent. One that is not told delivers again: nothing is lost. None of
 * these is in a jurisdiction, for those do not use the queue.
 */
export async function confirmDelivery(
  { GUARD }: Env,
  owner: Owner,
  sent: SentDelivery,
): Promise<void> {
  const stub = stubFor(GUARD, guardName(owner.tenantId, owner.identityId), noLocation);
  await stub.confirmDelivery(sent).catch(() => {});
}

/** Asks a guard that belongs to nobody and keeps nothing. @throws when guards do not answer */
export async function pingGuard(env: Env): Promise<void> {
  await stubFor(env.GUARD, "readiness", noLocation).ping();
}
