/** An identity's lifecycle (pure): creation, suspension, reactivation, unlocking, erasure. */
import type { AuditKey } from "../../audit/personal.ts";
import { removeDevices } from "./devices.ts";
import { heldClaimsOf } from "./held-claims.ts";
import { isLocked, noFailures } from "./lockout.ts";
import { type Profile, profileOf } from "./profile.ts";
import { decideWithinLimit } from "./rate-limit.ts";
import { applyChange, refuse } from "./refusals.ts";
import { raiseFloor } from "./spent-challenges.ts";
import type { IdentityState } from "./state.ts";
import { type EventEntry, type GuardCall, succeed, type Transition } from "./transition.ts";

function applyAdministration(
  state: IdentityState,
  call: GuardCall,
  change: Partial<IdentityState>,
  action: "user.suspended" | "user.reactivated" | "user.unlocked",
  further: readonly EventEntry[] = [],
): Transition<Profile> {
  const { now } = call;
  const profile = profileOf({ ...state, ...change, updatedAt: now }, now);
  const entries: EventEntry[] = [{ action, outcome: "success" }, ...further];
  return applyChange(state, change, entries, succeed(profile), now);
}

/** @param auditKey a new one; without it, the first delivery adds one */
export function create(
  call: GuardCall,
  externalId: string,
  auditKey: AuditKey | null = null,
): Transition<Profile> {
  const { tenantId, identityId, now } = call;
  const state: IdentityState = {
    tenantId,
    identityId,
    externalId,
    status: "active",
    createdAt: now,
    updatedAt: now,
    lastVerifiedAt: null,
    lastMethod: null,
    totp: null,
    pendingTotp: null,
    authenticators: [],
    lastAuthenticatorId: null,
    otpDisabled: false,
    backupCodes: null,
    passkeys: null,
    devices: [],
    lockout: noFailures,
    auditKey,
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

/** Refuses to create an identity that exists already. */
export function refuseExisting(state: IdentityState, call: GuardCall): Transition<Profile> {
  const decide = decideWithinLimit("provisioning", "user.provisioned", call, (present) =>
    refuse<Profile>(present, call, "user.provisioned", { code: "user_exists" }),
  );
  return decide(state);
}

/** Sets the status. An administrative act has its audit event even if it changes nothing. */
export function setStatus(
  state: IdentityState,
  call: GuardCall,
  status: "active" | "suspended",
): Transition<Profile> {
  if (status === "active") return applyAdministration(state, call, { status }, "user.reactivated");
  // What was started before the suspension cannot be finished after it.
  const passkeys = raiseFloor(state.passkeys, call.now);
  const removal = removeDevices(state, "user_suspended");
  const change = { status, passkeys, ...removal.change };
  return applyAdministration(state, call, change, "user.suspended", removal.entries);
}

/** Ends a lock and resets the failures. A disabled TOTP stays disabled until it is configured again. */
export function unlock(state: IdentityState, call: GuardCall): Transition<Profile> {
  return applyAdministration(state, call, { lockout: noFailures }, "user.unlocked");
}

/** Deletes everything about the person; the tombstone stays until the data in D1 is deleted too. */
export function erase(state: IdentityState, call: GuardCall): Transition<void> {
  const { tenantId, identityId, createdAt } = state;
  // Without any field that only a newer build knows.
  const cleared: IdentityState = {
    tenantId,
    identityId,
    createdAt,
    updatedAt: call.now,
    externalId: "",
    status: "erased",
    lastVerifiedAt: null,
    lastMethod: null,
    totp: null,
    pendingTotp: null,
    authenticators: [],
    lastAuthenticatorId: null,
    otpDisabled: false,
    backupCodes: null,
    passkeys: null,
    devices: [],
    lockout: noFailures,
    auditKey: null,
    refusals: [],
    recent: [],
    rates: {},
  };
  const details = { was_locked: isLocked(state.lockout, call.now) };
  const erased = applyChange(
    state,
    {},
    [{ action: "user.erased", outcome: "success", details }],
    succeed(undefined),
    call.now,
  );
  return { ...erased, state: cleared, history: [], releasedClaims: heldClaimsOf(state) };
}
