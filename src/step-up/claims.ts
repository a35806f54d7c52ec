/** The claims of a step-up token (pure): what was verified, for whom and when. */
import type { Recommendation } from "../sentinel/score.ts";

export const minLifetimeSeconds = 60;
export const maxLifetimeSeconds = 600;
export const defaultLifetimeSeconds = 120;

/** What the user has proved to hold. */
export type VerifiedFactor =
  | { readonly method: "totp" | "backup_code" }
  | {
      readonly method: "passkey";
      /** Whether the authenticator verified the user. */
      readonly userVerified: boolean;
      /** Whether the passkey can be synced; otherwise it is bound to one device. */
      readonly backupEligible: boolean;
    };

/** The token that a request asks for. */
export interface StepUpRequest {
  readonly audience: string;
  readonly nonce?: string | undefined;
  readonly lifetimeSeconds: number;
}

/** The verification that the token proves. */
export interface Proof {
  readonly tenantId: string;
  readonly externalId: string;
  readonly factor: VerifiedFactor;
  /** Of the request that was decided; a repeated request has those of the first. */
  readonly requestId: string;
  /** When that request ran, Unix ms. */
  readonly at: number;
  /** Of the assessment that the request names. */
  readonly risk?: SessionRisk | undefined;
}

export interface SessionRisk {
  readonly score: number;
  readonly recommendation: Recommendation;
}

export const acrs = ["urn:edge-idp:aal1", "urn:edge-idp:aal2"] as const;
/** RFC 8176 has no value for a backup code, so this name follows `otp`. */
export const backupCodeAmr = "urn:edge-idp:backup_code";

/**
 * Authentication methods (RFC 8176). No attestation is asked for, so `hwk` means that the authenticator calls the
 * passkey bound to one device.
 */
function amrOf(factor: VerifiedFactor): string[] {
  switch (factor.method) {
    case "totp":
      return ["otp"];
    case "backup_code":
      return ["otp", backupCodeAmr];
    case "passkey":
      return [
        factor.backupEligible ? "swk" : "hwk",
        "user",
        ...(factor.userVerified ? ["mfa"] : []),
      ];
  }
}

/**
 * The level of NIST SP 800-63B-4 that the service has verified by itself: two factors with a passkey that verified the
 * user, and one otherwise. It does not know what the tenant has verified, such as a password.
 */
function acrOf(factor: VerifiedFactor): (typeof acrs)[number] {
  const isMultiFactor = factor.method === "passkey" && factor.userVerified;
  return isMultiFactor ? "urn:edge-idp:aal2" : "urn:edge-idp:aal1";
}

/** Times follow from the verification, so that no later request extends them. */
export function buildClaims(
  issuer: string,
  { audience, nonce, lifetimeSeconds }: StepUpRequest,
  { tenantId, externalId, factor, requestId, at, risk }: Proof,
) {
  const seconds = Math.floor(at / 1000);
  return {
    iss: issuer,
    sub: externalId,
    aud: audience,
    iat: seconds,
    exp: seconds + lifetimeSeconds,
    jti: requestId,
    ...(nonce === undefined ? {} : { nonce }),
    auth_time: seconds,
    amr: amrOf(factor),
    acr: acrOf(factor),
    tenant: tenantId,
    ...(risk === undefined ? {} : { risk }),
  };
}
