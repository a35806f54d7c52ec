/** The decision on the registration of a passkey (pure). The answer of the browser is verified before. */
import type { OpenedChallenge } from "../../passkeys/challenge.ts";
import type { NewCredential, PasskeyRefusal } from "../../passkeys/passkey.ts";
import { hasLiveSecret } from "./authenticators.ts";
import { noPasskeys, type StoredPasskey } from "./passkey-state.ts";
import { invalidPasskey, listPasskeys, refusedChallenge } from "./passkeys.ts";
import { applyChange, refuse } from "./refusals.ts";
import { isUnspent, spendChallenge } from "./spent-challenges.ts";
import type { IdentityState } from "./state.ts";
import { fail, type GuardCall, type GuardError, succeed, type Transition } from "./transition.ts";

const maxPasskeys = 10;

export interface RegistrationEvidence {
  /** The passkey's id in the API, which follows from the credential id. */
  readonly passkeyId: string;
  /** The name that the user gave the passkey; null: it gets one. */
  readonly name: string | null;
  readonly rpId: string;
  /** Undefined if the challenge is not one of this ceremony, or has expired. */
  readonly challenge: OpenedChallenge | undefined;
  readonly verified: { readonly ok: true; readonly value: NewCredential } | PasskeyRefusal;
}

/** Returned in place of a registration that needs a claim first. */
export const unclaimed = Symbol("unclaimed");

/**
 * Whether somebody who wants to register a passkey must prove first to be the user. A disabled TOTP counts, because
 * failures must not make this easier, and so does a passkey of an earlier relying party.
 */
function hasFactor(state: IdentityState): boolean {
  const hasBackupCodes = (state.backupCodes?.unspent.length ?? 0) > 0;
  return hasLiveSecret(state) || hasBackupCodes || listPasskeys(state).length > 0;
}

/** The reason to refuse any registration now; undefined if there is none. */
export function findRegistrationRefusal(
  state: IdentityState,
  now: number,
  recentVerificationSeconds: number,
): GuardError | undefined {
  if (state.status === "suspended") return { code: "user_suspended" };
  const { lastVerifiedAt } = state;
  const isRecent =
    lastVerifiedAt !== null && now <= lastVerifiedAt + recentVerificationSeconds * 1000;
  if (hasFactor(state) && !isRecent) return { code: "verification_required" };
  return listPasskeys(state).length >= maxPasskeys ? { code: "too_many" } : undefined;
}

/** The name of a passkey to which its user gave none. No other passkey has it, also after removals. */
function nameNext(passkeys: readonly StoredPasskey[]): string {
  const names = new Set(passkeys.map(({ name }) => name));
  let number = passkeys.length + 1;
  while (names.has(`Passkey ${number}`)) number += 1;
  return `Passkey ${number}`;
}

/**
 * Registers, rejects or refuses a passkey.
 * @param claimId the passkey's claim in D1; null before it is claimed
 */
export function registerPasskey(
  state: IdentityState,
  call: GuardCall,
  evidence: RegistrationEvidence,
  recentVerificationSeconds: number,
  claimId: string | null,
): Transition<StoredPasskey> | typeof unclaimed {
  const action = "passkey.registered";
  const { passkeyId: id, challenge, verified, rpId } = evidence;
  const refusal = findRegistrationRefusal(state, call.now, recentVerificationSeconds);
  if (refusal !== undefined) return refuse(state, call, action, refusal);
  if (challenge === undefined || !isUnspent(state, challenge)) {
    return refuse(state, call, action, refusedChallenge);
  }
  if (!verified.ok) {
    const { reason, detail } = verified;
    const result = fail<StoredPasskey>(invalidPasskey(reason, detail));
    return applyChange(state, {}, [{ action, outcome: "failure", reason }], result, call.now);
  }
  const before = listPasskeys(state);
  if (before.some((one) => one.id === id)) {
    return refuse(state, call, action, { code: "passkey_exists" });
  }
  if (claimId === null) return unclaimed;
  const passkey: StoredPasskey = {
    ...verified.value,
    id,
    claimId,
    name: evidence.name ?? nameNext(before),
    rpId,
    createdAt: call.now,
    lastUsedAt: null,
  };
  const { algorithm, userVerified, backupEligible } = passkey;
  const details = {
    passkey_id: id,
    rp_id: rpId,
    algorithm,
    user_verified: userVerified,
    backup_eligible: backupEligible,
  };
  const spent = spendChallenge(state.passkeys ?? noPasskeys, challenge, call.now);
  return applyChange(
    state,
    { passkeys: { ...spent, credentials: [...before, passkey] } },
    [{ action, outcome: "success", details }],
    succeed(passkey),
    call.now,
  );
}
