/** Verifies a step-up token. jose checks the form, the signature and the expiry; all else is compared here. */
import { errors, type JWTPayload, jwtVerify } from "jose";
import { count, hasShape, listOf, objectWith, text } from "../audit/shape.ts";
import { levels, requireSettings, type StepUpChecks } from "./checks.ts";
import { findKeys } from "./keys.ts";
import { StepUpTokenError, type StepUpTokenReason } from "./step-up-token-error.ts";

/** The claims of a token, spelled as in the token. Times are Unix seconds. */
export interface StepUpClaims {
  readonly iss: string;
  /** The `external_id` of the user. */
  readonly sub: string;
  readonly aud: string;
  readonly iat: number;
  readonly exp: number;
  /** The id of the token, and the `request_id` of the verification in the audit trail. */
  readonly jti: string;
  readonly nonce?: string;
  /** When the user was verified. */
  readonly auth_time: number;
  /**
   * How (RFC 8176): `otp`, with `urn:edge-idp:backup_code` for a backup code; `hwk` or `swk` with `user`, and `mfa` if the
   * passkey verified the user.
   */
  readonly amr: readonly string[];
  readonly acr: string;
  readonly tenant: string;
  /** Of the assessment that the verification named. */
  readonly risk?: { readonly score: number; readonly recommendation: string };
}

const claimsShape = objectWith({
  iss: text,
  sub: text,
  aud: text,
  jti: text,
  acr: text,
  tenant: text,
  iat: count,
  exp: count,
  auth_time: count,
  amr: listOf(text),
});

/** How far the clock of the service may be ahead. Tokens of a test clock can be of any time. */
const maxLeadSeconds = 60;

/** Both names of Ed25519 (RFC 8037 and RFC 9864), of which the service uses the first. */
const algorithms = ["EdDSA", "Ed25519"];

/** The characters of a token (RFC 7515 §7.1). Decoders of base64 overlook white space, which no token has. */
const tokenCharacters = /^[\w.-]+$/;

function reasonOf(error: unknown): StepUpTokenReason {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "signature";
  if (error instanceof errors.JOSEAlgNotAllowed) return "algorithm";
  return "malformed";
}

async function readClaims(token: string, checks: StepUpChecks): Promise<JWTPayload> {
  const { issuer, jwks, fetch: send, now = new Date() } = checks;
  if (!tokenCharacters.test(token)) throw new StepUpTokenError("malformed");
  try {
    const options = { algorithms, typ: "JWT", requiredClaims: ["exp"], currentDate: now };
    return (await jwtVerify(token, findKeys(issuer, jwks, send), options)).payload;
  } catch (error) {
    if (error instanceof StepUpTokenError) throw error;
    // Not as its cause: errors of jose have the claims, and a log prints causes.
    throw new StepUpTokenError(reasonOf(error));
  }
}

/** The first check that the claims do not pass. */
function findFault(claims: StepUpClaims, checks: StepUpChecks): StepUpTokenReason | undefined {
  const { issuer, audience, tenant, nonce, acr, maxAgeSeconds, now = new Date() } = checks;
  if (claims.iss !== issuer) return "issuer";
  if (claims.aud !== audience) return "audience";
  if (claims.tenant !== tenant) return "tenant";
  if (nonce !== undefined && claims.nonce !== nonce) return "nonce";
  if (acr !== undefined && levels.indexOf(claims.acr) < levels.indexOf(acr)) return "acr";
  const ageSeconds = now.getTime() / 1000 - claims.auth_time;
  if (ageSeconds < -maxLeadSeconds) return "premature";
  if (maxAgeSeconds !== undefined && !(ageSeconds <= maxAgeSeconds)) return "too_old";
  return undefined;
}

/**
 * Verifies a step-up token that your backend, or a browser, has sent to you. The public keys are fetched from the issuer
 * at the first call, and kept for five minutes. A token may be used until it expires: if an action must happen once, keep
 * its `jti` until then.
 *
 * @throws StepUpTokenError with the `reason`; TypeError for a check that is missing, such as an undefined `audience` or
 * `nonce`, or that no token could pass, such as an `issuer` with a path
 */
export async function verifyStepUpToken(
  token: string,
  checks: StepUpChecks,
): Promise<StepUpClaims> {
  requireSettings(checks);
  const claims: unknown = await readClaims(token, checks);
  if (!hasShape<StepUpClaims>(claims, claimsShape)) throw new StepUpTokenError("malformed");
  const fault = findFault(claims, checks);
  if (fault !== undefined) throw new StepUpTokenError(fault);
  return claims;
}
