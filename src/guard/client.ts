/** Calls from the edge to an identity's guard. */

import type { RequestActor } from "../audit/event.ts";
import type { Owner } from "../crypto/seal-context.ts";
import { awaitWithin } from "../deadline.ts";
import { AppError } from "../errors.ts";
import type { RequestKey } from "../idempotency/request-key.ts";
import { type Location, noLocation, stubFor } from "../location.ts";
import { causeOf, log } from "../log.ts";
import type { TenantCaller } from "../tenancy/caller.ts";
import type { GuardCall, GuardError, GuardNotice, GuardResult } from "./decisions/transition.ts";
import { guardNameOf } from "./guard-name.ts";
import type { Erasure, IdentityGuard } from "./identity-guard.ts";

/** What a call of a guard needs from the request. */
export interface GuardCaller {
  readonly env: Env;
  readonly caller: Pick<TenantCaller, "tenantId" | "location"> &
    Partial<Pick<TenantCaller, "destinations">>;
  readonly actor: RequestActor;
  readonly now: number;
  readonly requestId: string;
  readonly requestKey: RequestKey | null;
  /** Receives the rate limit and the replay notice that come with the guard's answer. */
  readonly onGuardNotice: (notice: GuardNotice) => void;
}

/** Longer than a guard waits for D1. */
const erasureTimeoutMs = 10_000;

type Ask<T> = (guard: DurableObjectStub<IdentityGuard>, call: GuardCall) => Promise<GuardResult<T>>;

function guardOf({ env, caller }: GuardCaller, identityId: string) {
  return stubFor(env.GUARD, guardNameOf(caller.tenantId, identityId), caller.location);
}

/** The sentence of a failure that locked the user or disabled TOTP; undefined for any other. */
function describeLastFailure({ lockedUntil, isDisabled }: GuardError): string | undefined {
  const isLocked = lockedUntil != null;
  if (isDisabled) {
    const lock = isLocked ? " The user is locked until locked_until as well." : "";
    return `The code was not accepted, and TOTP is disabled now after too many failed codes; configure a new secret, because neither an unlock nor a backup code helps.${lock}`;
  }
  return isLocked
    ? "The code was not accepted, and the user is locked now after too many failed codes; wait until locked_until or unlock the user."
    : undefined;
}

/** The end of a lock, as fields of the body and as a header. */
function describeLock(lockedUntil: number | null | undefined, now: number) {
  if (lockedUntil == null) return { fields: { locked_until: null, retry_after_seconds: null } };
  const seconds = Math.max(1, Math.ceil((lockedUntil - now) / 1000));
  return {
    fields: {
      locked_until: new Date(lockedUntil).toISOString(),
      retry_after_seconds: seconds,
    },
    headers: { "Retry-After": String(seconds) },
  };
}

function appErrorOf(error: GuardError, now: number): AppError {
  const { code, attemptsRemaining, lockedUntil, retryAfterSeconds } = error;
  const lock = describeLock(lockedUntil, now);
  switch (code) {
    case "invalid_code":
    case "code_already_used": {
      const message = describeLastFailure(error);
      return new AppError(code, {
        ...lock,
        ...(message === undefined ? {} : { message }),
        fields: { attempts_remaining: attemptsRemaining, ...lock.fields },
      });
    }
    case "user_locked":
    // Without Retry-After, because only a new secret ends this.
    case "otp_disabled":
      return new AppError(code, lock);
    case "invalid_passkey":
      return new AppError(code, {
        message: `${error.detail} Start again with new options.`,
        fields: { reason: error.reason },
      });
    case "passkey_unknown":
      return new AppError(code, {
        fields: { credential_id: error.credentialId },
        isRecorded: true,
      });
    case "too_many":
      return new AppError(code, { isRecorded: true });
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
 * Calls an identity's guard once.
 * @throws AppError with the guard's error; `unavailable` when the guard does not answer. The call may then
 *   have been applied, so it is not repeated here.
 */
export async function askGuard<T>(
  caller: GuardCaller,
  identityId: string,
  ask: Ask<T>,
): Promise<T> {
  const { actor, now, requestId, requestKey } = caller;
  const { tenantId, location, destinations = [] } = caller.caller;
  const { jurisdiction } = location;
  const call: GuardCall = {
    tenantId,
    identityId,
    now,
    requestId,
    actor,
    jurisdiction,
    requestKey,
    ...(destinations.length === 0 ? {} : { destinations }),
  };
  let result: GuardResult<T>;
  try {
    result = await ask(guardOf(caller, identityId), call);
  } catch (error) {
    log("error", "guard_unreachable", { request_id: requestId, cause: causeOf(error) });
    throw new AppError("unavailable", { causeName: "guard_unreachable" });
  }
  caller.onGuardNotice(result);
  if (result.ok) return result.value;
  // The seconds in a replayed answer count from the time of the first request.
  throw appErrorOf(result.error, result.first?.at ?? now);
}

/** Works like `askGuard`, for calls that only read: they are repeated once, in case the guard is being moved. */
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
 * Seals everything that a guard holds under the newest key.
 * @param passes completed passes over all identities. A record that is under an old key after the first pass
 *   was never delivered, so the guard then delivers it even if nothing changed
 * @returns whether the guard's data is under the given version now
 */
export async function resealGuard(
  env: Env,
  owner: Owner,
  location: Location,
  { version, passes }: { readonly version: number; readonly passes: number },
): Promise<boolean> {
  try {
    const stub = stubFor(env.GUARD, guardNameOf(owner.tenantId, owner.identityId), location);
    const result = await stub.reseal(owner, passes > 0);
    return result.ok && result.value === version;
  } catch (error) {
    log("error", "guard_unreachable", { tenant_id: owner.tenantId, cause: causeOf(error) });
    return false;
  }
}

/**
 * Erases an identity of a tenant that is deleted. @throws AppError `unavailable`: the erasure may go on, and may be
 * repeated
 */
export async function eraseIdentity(
  env: Env,
  location: Location,
  call: GuardCall,
): Promise<Erasure> {
  const { tenantId, identityId } = call;
  const stub = stubFor(env.GUARD, guardNameOf(tenantId, identityId), location);
  const erase = async (): Promise<GuardResult<Erasure>> => await stub.eraseOrDiscard(call);
  try {
    const result = await awaitWithin(erasureTimeoutMs, erase());
    if (result.ok) return result.value;
  } catch (error) {
    log("error", "guard_unreachable", { tenant_id: tenantId, cause: causeOf(error) });
  }
  throw new AppError("unavailable", { causeName: "guard_unreachable" });
}

/** Makes the guard deliver its outbox now. If that fails, its alarm delivers it later. */
export async function requestDelivery(caller: GuardCaller, identityId: string): Promise<void> {
  try {
    await guardOf(caller, identityId).deliver();
  } catch {
    // The guard's alarm will deliver the outbox.
  }
}

/**
 * Makes a guard deliver its record directly. Guards in a jurisdiction do not use the queue, so none is called here.
 * @returns whether D1 has the record now, or the guard has none
 */
export async function requestRecord({ GUARD }: Env, owner: Owner): Promise<boolean> {
  try {
    const stub = stubFor(GUARD, guardNameOf(owner.tenantId, owner.identityId), noLocation);
    return (await stub.deliverRecord()).ok;
  } catch (error) {
    log("error", "guard_unreachable", { tenant_id: owner.tenantId, cause: causeOf(error) });
    return false;
  }
}

/** Calls a guard that belongs to no identity and stores nothing. @throws when guards do not answer */
export async function pingGuard(env: Env): Promise<void> {
  await stubFor(env.GUARD, "readiness", noLocation).ping();
}
