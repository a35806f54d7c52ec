/**
 * The steps that both ceremonies of WebAuthn Level 3 share (§7.1 and §7.2; pure). Each returns the refusal where the
 * answer does not pass it.
 */

import { timingSafeEqual } from "../crypto/constant-time.ts";
import { sha256Of } from "../crypto/digest.ts";
import type { AuthenticatorData } from "./authenticator-data.ts";
import type { ClientData } from "./client-data.ts";
import {
  type PasskeyRefusal,
  type RelyingParty,
  refuse,
  type UserVerification,
} from "./passkey.ts";

type Result = PasskeyRefusal | undefined;

export interface Expectations {
  /** The challenge of the ceremony, which the caller has opened. */
  readonly challenge: string;
  readonly relyingParty: RelyingParty;
  readonly userVerification: UserVerification;
}

/** "Verify that the value of C.type is …" */
export function verifyType(data: ClientData, type: "webauthn.create" | "webauthn.get"): Result {
  if (data.type === type) return undefined;
  return refuse("type", `The client data is not of the type ${type}.`);
}

/** "Verify that the value of C.challenge equals the base64url encoding of pkOptions.challenge." */
export function verifyChallenge(data: ClientData, { challenge }: Expectations): Result {
  if (data.challenge === challenge) return undefined;
  return refuse(
    "challenge",
    "The answer is to another challenge than the one that was sent with it.",
  );
}

/** "Verify that the value of C.origin is an origin expected by the Relying Party." */
export function verifyOrigin(data: ClientData, { relyingParty }: Expectations): Result {
  if (relyingParty.origins.includes(data.origin)) return undefined;
  return refuse("origin", "The page's origin is not among the origins of the settings.");
}

/** "If C.crossOrigin is present and set to true, verify that the Relying Party expects" a frame of another origin. */
export function verifyCrossOrigin(data: ClientData, { relyingParty }: Expectations): Result {
  if (!data.crossOrigin || relyingParty.topOrigins.length > 0) return undefined;
  return refuse(
    "origin",
    "The page was in a frame on a page of another origin, and the settings have no top_origins.",
  );
}

/**
 * "If C.topOrigin is present", verify that the Relying Party expects to be framed by this page. Browsers set it only
 * together with crossOrigin.
 */
export function verifyTopOrigin(data: ClientData, { relyingParty }: Expectations): Result {
  const { topOrigin } = data;
  if (topOrigin === null) return undefined;
  if (data.crossOrigin && relyingParty.topOrigins.includes(topOrigin)) return undefined;
  return refuse(
    "origin",
    "The page was in a frame on a page whose origin is not among the top_origins of the settings.",
  );
}

/** "Verify that the rpIdHash in authData is the SHA-256 hash of the RP ID expected by the Relying Party." */
export function verifyRpIdHash(data: AuthenticatorData, { relyingParty }: Expectations): Result {
  if (timingSafeEqual(data.rpIdHash, sha256Of(relyingParty.id))) return undefined;
  return refuse("rp_id", "The passkey belongs to another RP id than that of the settings.");
}

/** "Verify that the UP bit of the flags in authData is set." */
export function verifyUserPresent(data: AuthenticatorData): Result {
  if (data.userPresent) return undefined;
  return refuse("presence", "The authenticator did not ask for the user's presence.");
}

/** If user verification is required, "verify that the UV bit of the flags in authData is set." */
export function verifyUserVerified(
  data: AuthenticatorData,
  { userVerification }: Expectations,
): Result {
  if (data.userVerified || userVerification !== "required") return undefined;
  return refuse("user_verification", "The authenticator did not verify the user.");
}

/** "If the BE bit of the flags in authData is not set, verify that the BS bit is not set." */
export function verifyBackupState(data: AuthenticatorData): Result {
  if (data.backupEligible || !data.backedUp) return undefined;
  return refuse("key", "The passkey is backed up, but says that it cannot be.");
}
