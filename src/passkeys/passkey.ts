/** The words of passkeys (pure): what is stored of one, what a ceremony asks for, and why an answer is refused. */

/** Algorithms of COSE: ES256, EdDSA (with Ed25519) and RS256, in the order in which options offer them. */
export const algorithms = [-7, -8, -257] as const;
export type Algorithm = (typeof algorithms)[number];

export type UserVerification = "required" | "preferred";

/** Why an answer is refused; the API tells it. */
export const passkeyReasons = [
  "challenge",
  "type",
  "origin",
  "rp_id",
  "presence",
  "user_verification",
  "user_handle",
  "signature",
  "counter",
  "key",
] as const;
export type PasskeyReason = (typeof passkeyReasons)[number];

/** What the tenant's settings say about its pages. Origins are compared exactly. */
export interface RelyingParty {
  readonly id: string;
  readonly origins: readonly string[];
  /** Pages of another origin that may frame the tenant's page. Without any, no ceremony may run in such a frame. */
  readonly topOrigins: readonly string[];
}

/** What a registration proves. Binary values are base64url without padding. */
export interface NewCredential {
  readonly credentialId: string;
  /** A COSE key. */
  readonly publicKey: string;
  readonly algorithm: Algorithm;
  /** The model of the authenticator, in the form of a UUID; it is claimed, not attested. */
  readonly aaguid: string;
  readonly transports: readonly string[];
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
  /** Whether the user was verified at the registration (the specification's `uvInitialized`). */
  readonly userVerified: boolean;
  readonly signCount: number;
}

/** What the guard keeps of a passkey. Times are Unix ms. */
export interface Passkey extends NewCredential {
  /** 24 hex digits; see `passkeyIdOf`. */
  readonly id: string;
  readonly name: string;
  readonly rpId: string;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

/** What an authentication proves. */
export interface Assertion {
  /** Whether the user's verification counts: the answer has the flag, and so had the registration. */
  readonly userVerified: boolean;
  readonly signCount: number;
  readonly backedUp: boolean;
}

export interface PasskeyRefusal {
  readonly ok: false;
  readonly reason: PasskeyReason;
  /** A sentence for the tenant's developer. It repeats nothing of the answer. */
  readonly detail: string;
}

export function refuse(reason: PasskeyReason, detail: string): PasskeyRefusal {
  return { ok: false, reason, detail };
}
