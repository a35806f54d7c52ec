/** An identity's passkeys besides their ceremonies (pure): finding, renaming and removing them. */
import type { PasskeyReason } from "../../passkeys/passkey.ts";
import type { PasskeyPolicy } from "../../tenancy/policy.ts";
import { removeDevices } from "./devices.ts";
import type { StoredPasskey } from "./passkey-state.ts";
import { applyChange, refuse } from "./refusals.ts";
import { raiseFloor } from "./spent-challenges.ts";
import type { IdentityState } from "./state.ts";
import { type GuardCall, type GuardError, succeed, type Transition } from "./transition.ts";

/** The identity's passkeys, in the order of their registration. */
export function listPasskeys({ passkeys }: IdentityState): readonly StoredPasskey[] {
  return passkeys?.credentials ?? [];
}

/** What the tenant's settings demand of a passkey at a login. */
export type PasskeyDemand = Pick<PasskeyPolicy, "rpId" | "userVerification">;

/**
 * The passkeys that a login can use: those of the tenant's present relying party whose user verification counts, where
 * that is required.
 */
export function listUsablePasskeys(
  state: IdentityState,
  { rpId, userVerification }: PasskeyDemand,
): readonly StoredPasskey[] {
  return listPasskeys(state).filter(
    (passkey) => passkey.rpId === rpId && (passkey.userVerified || userVerification !== "required"),
  );
}

export function invalidPasskey(reason: PasskeyReason, detail: string): GuardError {
  return { code: "invalid_passkey", reason, detail };
}

/** A challenge is refused before anything else is evaluated. */
export const refusedChallenge = invalidPasskey(
  "challenge",
  "The challenge is not one of this ceremony, has expired, or was answered already.",
);

export function renamePasskey(
  state: IdentityState,
  call: GuardCall,
  id: string,
  name: string,
): Transition<StoredPasskey> {
  const passkey = listPasskeys(state).find((one) => one.id === id);
  if (state.passkeys === null || passkey === undefined) {
    return refuse(state, call, "passkey.renamed", { code: "passkey_not_found" });
  }
  const renamed = { ...passkey, name };
  const credentials = listPasskeys(state).map((one) => (one === passkey ? renamed : one));
  return applyChange(
    state,
    { passkeys: { ...state.passkeys, credentials } },
    [{ action: "passkey.renamed", outcome: "success", details: { passkey_id: id } }],
    succeed(renamed),
    call.now,
  );
}

/**
 * Removes a passkey, and the devices that were remembered with it: whoever has a lost passkey may have remembered one.
 * What was started before the removal cannot be finished after it.
 */
export function removePasskey(state: IdentityState, call: GuardCall, id: string): Transition<void> {
  const passkey = listPasskeys(state).find((one) => one.id === id);
  if (passkey === undefined) {
    return refuse(state, call, "passkey.removed", { code: "passkey_not_found" });
  }
  const credentials = listPasskeys(state).filter((one) => one !== passkey);
  const removal = removeDevices(state, "passkey_removed", (device) => device.passkeyId === id);
  const removed = applyChange<void>(
    state,
    { passkeys: { ...raiseFloor(state.passkeys, call.now), credentials }, ...removal.change },
    [
      { action: "passkey.removed", outcome: "success", details: { passkey_id: id } },
      ...removal.entries,
    ],
    succeed(undefined),
    call.now,
  );
  return { ...removed, releasedClaims: [{ passkeyId: id, claimId: passkey.claimId }] };
}
