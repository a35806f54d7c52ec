/**
 * Registering a new credential (WebAuthn Level 3, §7.1). The page does steps 1 to 4. Step 26 is the caller's, because it
 * needs a database.
 */
import { base64urlnopad } from "@scure/base";
import { readPublicKey } from "./cose-key.ts";
import { isUsableKey } from "./key-material.ts";
import type { ParsedRegistration } from "./parse.ts";
import { type NewCredential, type PasskeyRefusal, refuse } from "./passkey.ts";
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

export async function verifyRegistration(
  answer: ParsedRegistration,
  expected: Expectations,
): Promise<{ readonly ok: true; readonly value: NewCredential } | PasskeyRefusal> {
  const { clientData, authenticatorData } = answer;
  // Steps 5 and 6, the decoding of the client data, and 13, that of the attestation object, are in parse.ts.
  const refusal =
    verifyType(clientData, "webauthn.create") ?? // step 7
    verifyChallenge(clientData, expected) ?? // step 8
    verifyOrigin(clientData, expected) ?? // step 9
    verifyCrossOrigin(clientData, expected) ?? // step 10
    verifyTopOrigin(clientData, expected) ?? // step 11
    // Step 12 hashes the client data for the attestation signature, which is not read.
    verifyRpIdHash(authenticatorData, expected) ?? // step 14
    verifyUserPresent(authenticatorData) ?? // step 15; no options are for conditional creation
    verifyUserVerified(authenticatorData, expected) ?? // step 16
    verifyBackupState(authenticatorData); // step 17
  if (refusal !== undefined) return refusal;

  // Steps 18 and 19: no policy depends on eligibility or state of the backup.

  // Step 20: the algorithm is one of those that were offered. The key must be one of that algorithm, too.
  const key = readPublicKey(answer.publicKey);
  if (typeof key === "string") return refuse("key", key);
  if (!(await isUsableKey(key))) {
    return refuse("key", "The key is not a point of its curve, or one of small order.");
  }

  // Steps 21 to 24: the options ask for no attestation, and the policy accepts any statement unread.

  // Step 25, the length of the credential id, is in authenticator-data.ts.

  const { userVerified, backupEligible, backedUp, signCount } = authenticatorData;
  const { credentialId, aaguid, transports } = answer;
  const value: NewCredential = {
    credentialId,
    publicKey: base64urlnopad.encode(answer.publicKey),
    algorithm: key.algorithm,
    aaguid,
    transports,
    backupEligible,
    backedUp,
    userVerified,
    signCount,
  };
  return { ok: true, value };
}
