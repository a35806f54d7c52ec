/**
 * The decision on a login with a passkey (pure). Signature and time are checked before; the decision compares the
 * evidence with the present state. It neither reads nor changes the failures of codes: those never lock a passkey, a
 * passkey's failures never lock, and its success gives nobody fresh guesses.
 */
import type { OpenedChallenge } from "../../passkeys/challenge.ts";
import { checkCounter } from "../../passkeys/counter.ts";
import type { Assertion, PasskeyReason, PasskeyRefusal } from "../../passkeys/passkey.ts";
import type { AddedDevice } from "./devices.ts";
import { stale } from "./evaluation.ts";
import type { AddedRisk } from "./feedback.ts";
import type { PasskeyState, StoredPasskey } from "./passkey-state.ts";
import { invalidPasskey, listPasskeys, refusedChallenge } from "./passkeys.ts";
import { addSessionOf, applyChange, refuse } from "./refusals.ts";
import { isUnspent, spendChallenge } from "./spent-challenges.ts";
import type { IdentityState } from "./state.ts";
import {
  addRecentAttempt,
  fail,
  type GuardCall,
  type GuardError,
  succeed,
  type Transition,
} from "./transition.ts";

/** What was computed about an answer, with the passkey that it was computed from. */
export interface PasskeyEvidence {
  readonly passkey: StoredPasskey;
  /** Undefined if the challenge is not one of this ceremony, or has expired. */
  readonly challenge: OpenedChallenge | undefined;
  readonly verified: { readonly ok: true; readonly value: Assertion } | PasskeyRefusal;
}

export interface PasskeyVerified extends AddedRisk, AddedDevice {
  /** The answer of a login without a name says whose passkey it was. */
  readonly externalId: string;
  readonly passkeyId: string;
  readonly credentialId: string;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
}

const action = "passkey.verified";

/** The identity's passkey with this credential id, or why no answer of it is evaluated now. */
export function findPasskey(
  state: IdentityState,
  credentialId: string,
): { readonly passkey: StoredPasskey } | { readonly refusal: GuardError } {
  if (state.status === "suspended") return { refusal: { code: "user_suspended" } };
  const passkey = listPasskeys(state).find((one) => one.credentialId === credentialId);
  if (passkey !== undefined) return { passkey };
  return { refusal: { code: "passkey_unknown", credentialId } };
}

function reject(
  state: IdentityState,
  call: GuardCall,
  { id }: StoredPasskey,
  reason: PasskeyReason,
  detail: string,
): Transition<PasskeyVerified> {
  const entry = { action, outcome: "failure", reason, details: { passkey_id: id } } as const;
  return applyChange(
    state,
    { recent: addRecentAttempt(state, "failure", call.now) },
    [addSessionOf(entry, call.session)],
    fail(invalidPasskey(reason, detail)),
    call.now,
  );
}

function accept(
  state: IdentityState,
  passkeys: PasskeyState,
  call: GuardCall,
  passkey: StoredPasskey,
  assertion: Assertion,
  isRegression: boolean,
): Transition<PasskeyVerified> {
  const { id: passkeyId, credentialId, backupEligible } = passkey;
  const { userVerified, backedUp } = assertion;
  const flags = { userVerified, backupEligible, backedUp };
  const used: StoredPasskey = {
    ...passkey,
    signCount: Math.max(passkey.signCount, assertion.signCount),
    backedUp,
    lastUsedAt: call.now,
  };
  const credentials = passkeys.credentials.map((one) => (one === passkey ? used : one));
  const details = {
    passkey_id: passkeyId,
    user_verified: userVerified,
    ...(isRegression ? { counter_regression: true } : {}),
  };
  return applyChange(
    state,
    {
      passkeys: { ...passkeys, credentials },
      lastVerifiedAt: call.now,
      recent: addRecentAttempt(state, "success", call.now),
    },
    [addSessionOf({ action, outcome: "success", details }, call.session)],
    succeed({ externalId: state.externalId, passkeyId, credentialId, ...flags }),
    call.now,
  );
}

/**
 * Accepts, rejects or refuses the answer of a passkey.
 * @param evidence undefined if none was gathered, because the answer was to be refused
 */
export function authenticatePasskey(
  state: IdentityState,
  call: GuardCall,
  credentialId: string,
  evidence: PasskeyEvidence | undefined,
): Transition<PasskeyVerified> | typeof stale {
  const found = findPasskey(state, credentialId);
  if ("refusal" in found) return refuse(state, call, action, found.refusal);
  const { passkey } = found;
  // The claim names one registration of the passkey.
  if (state.passkeys === null || evidence?.passkey.claimId !== passkey.claimId) return stale;
  const { challenge, verified } = evidence;
  if (challenge === undefined || !isUnspent(state, challenge)) {
    return refuse(state, call, action, refusedChallenge);
  }
  if (!verified.ok) return reject(state, call, passkey, verified.reason, verified.detail);
  const counter = checkCounter(passkey, verified.value.signCount);
  if (counter === "regression_refused") {
    const detail = "The counter did not grow, so that the passkey may have a clone.";
    return reject(state, call, passkey, "counter", detail);
  }
  const spent = spendChallenge(state.passkeys, challenge, call.now);
  return accept(state, spent, call, passkey, verified.value, counter === "regression_noted");
}
