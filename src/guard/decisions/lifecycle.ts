/** An identity's life (pure): created, suspended, reactivated, unlocked, erased. */
import { isLocked, noFailures } from "./lockout.ts";
import { type Profile, profileOf } from "./profile.ts";
import { applyChange } from "./refusals.ts";
import type { IdentityState } from "./state.ts";
import { type GuardCall, succeed, type Transition } from "./transition.ts";

function afterwards(
  before: IdentityState,
  call: GuardCall,
  change: Partial<IdentityState>,
  action: "user.suspended" | "user.reactivated" | "user.unlocked",
): Transition<Profile> {
  const { now } = call;
  const profile = profileOf({ ...before, ...change, updatedAt: now }, now);
  return applyChange(before, change, [{ action, outcome: "success" }], succeed(profile), now);
}

export function create(call: GuardCall, externalId: string): Transition<Profile> {
  const { tenantId, identityId, now } = call;
  const state: IdentityState = {
    tenantId,
    identityId,
    externalId,
    status: "active",
    createdAt: now,
    updatedAt: now,
    lastVerifiedAt: null,
    totp: null,
    pendingTotp: null,
    otpDisabled: false,
    backupCodes: null,
    lockout: noFailures,
    auditKey: null,
    refusals: [],
    recent: [],
    rates: {},
  };
  return {
    state,
    entries: [{ action: "user.provisioned", outcome: "success" }],
    result: succeed(profileOf(state, now)),
  };
}

/** An administrative act: told in the trail also where the status was that already. */
export function setStatus(
  state: IdentityState,
  call: GuardCall,
  status: "active" | "suspended",
): Transition<Profile> {
  const action = status === "suspended" ? "user.suspended" : "user.reactivated";
  return afterwards(state, call, { status }, action);
}

/** Ends a lock and forgets the failures. A disabled TOTP stays disabled until configured anew. */
export function unlock(state: IdentityState, call: GuardCall): Transition<Profile> {
  return afterwards(state, call, { lockout: noFailures }, "user.unlocked");
}

/** Forgets the person at once; the tombstone stays until D1 has forgotten too. */
export function erase(state: IdentityState, call: GuardCall): Transition<void> {
  const forgotten: Partial<IdentityState> = {
    externalId: "",
    status: "erased",
    lastVerifiedAt: null,
    totp: null,
    pendingTotp: null,
    otpDisabled: false,
    backupCodes: null,
    lockout: noFailures,
    auditKey: null,
    recent: [],
    rates: {},
  };
  const details = { was_locked: isLocked(state.lockout, call.now) };
  const erased = applyChange(
    state,
    forgotten,
    [{ action: "user.erased", outcome: "success", details }],
    succeed(undefined),
    call.now,
  );
  return { ...erased, history: [] };
}
