/**
 * Verifying an authentication assertion (WebAuthn Level 3, §7.2). The page does steps 1 to 4. Step 22, the counter, is in
 * counter.ts: the guard decides it in its transaction, as it does step 24.
 */

import { base64urlnopad } from "@scure/base";
import { readPublicKey } from "./cose-key.ts";
import { verifySignature } from "./key-material.ts";
import type { ParsedAuthentication } from "./parse.ts";
import { type Assertion, type Passkey, type PasskeyRefusal, refuse } from "./passkey.ts";
import {
  type Expectations,
  verifyBackupState,
  verifyChallenge,
  verifyCrossOrigin,
  verifyOrigin,
  verifyRpIdHash,
  verifyTopOrigin,
  verifyType,
  verifyUserPresent,
  verifyUserVerified,
} from "./steps.ts";
import { userHandleOf } from "./user-handle.ts";

type Result = PasskeyRefusal | undefined;

export interface AuthenticationExpectations extends Expectations {
  readonly identityId: string;
  /** The identity's passkey with the credential id of the answer. */
  readonly passkey: Passkey;
}

/** Steps 5 and 6: the identity has the credential, and is the one that the user handle names. */
function verifyUser(answer: ParsedAuthentication, expected: AuthenticationExpectations): Result {
  const { identityId, passkey } = expected;
  if (answer.credentialId !== passkey.credentialId) {
    return refuse("key", "The answer is of another passkey.");
  }
  if (answer.userHandle === null || answer.userHandle === userHandleOf(identityId))
    return undefined;
  return refuse("user_handle", "The passkey was made for another user.");
}

/**
 * A flag of an authenticator whose verification was not seen at the registration does not count (the specification's
 * `uvInitialized`), because whoever registered need not be whom it verifies now.
 */
function verifyRegisteredVerification(expected: AuthenticationExpectations): Result {
  if (expected.userVerification !== "required" || expected.passkey.userVerified) return undefined;
  return refuse(
    "user_verification",
    "The passkey was registered without user verification, so that it cannot be relied upon now; register it anew.",
  );
}

/** Step 19: eligibility for backup never changes. */
function verifyBackupEligibility(
  answer: ParsedAuthentication,
  { passkey }: AuthenticationExpectations,
): Result {
  if (answer.authenticatorData.backupEligible === passkey.backupEligible) return undefined;
  return refuse("key", "The passkey's eligibility for backup is another than at its registration.");
}

/** Steps 20 and 21. */
async function verifySigned(
  answer: ParsedAuthentication,
  { passkey }: AuthenticationExpectations,
): Promise<Result> {
  const { clientDataBytes, authenticatorDataBytes, signature } = answer;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", clientDataBytes));
  const key = readPublicKey(base64urlnopad.decode(passkey.publicKey));
  if (typeof key === "string") return refuse("key", key);
  const message = new Uint8Array([...authenticatorDataBytes, ...hash]);
  if (await verifySignature(key, signature, message)) return undefined;
  return refuse("signature", "The signature does not fit the passkey's public key.");
}

export async function verifyAuthentication(
  answer: ParsedAuthentication,
  expected: AuthenticationExpectations,
): Promise<{ readonly ok: true; readonly value: Assertion } | PasskeyRefusal> {
  const { clientData, authenticatorData } = answer;
  const refusal =
    verifyUser(answer, expected) ?? // steps 5 and 6
    // Steps 7 to 9, the decoding of the answer, are in parse.ts.
    verifyType(clientData, "webauthn.get") ?? // step 10
    verifyChallenge(clientData, expected) ?? // step 11
    verifyOrigin(clientData, expected) ?? // step 12
    verifyCrossOrigin(clientData, expected) ?? // step 13
    verifyTopOrigin(clientData, expected) ?? // step 14
    verifyRpIdHash(authenticatorData, expected) ?? // step 15
    verifyUserPresent(authenticatorData) ?? // step 16
    verifyUserVerified(authenticatorData, expected) ?? // step 17
    verifyRegisteredVerification(expected) ?? // step 17
    verifyBackupState(authenticatorData) ?? // step 18
    verifyBackupEligibility(answer, expected) ?? // step 19
    (await verifySigned(answer, expected)); // steps 20 and 21
  if (refusal !== undefined) return refusal;

  // Step 23: extension outputs are ignored; the options ask for none.

  const { userVerified, signCount, backedUp } = authenticatorData;
  const value = {
    userVerified: userVerified && expected.passkey.userVerified,
    signCount,
    backedUp,
  };
  return { ok: true, value };
}
