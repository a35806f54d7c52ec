/**
 * Why a step-up token was not accepted. `keys_unavailable`: the keys could not be fetched, so nothing is known of the
 * token; try again. `unknown_key`: no published key has signed it.
 */
export type StepUpTokenReason =
  | "malformed"
  | "algorithm"
  | "unknown_key"
  | "signature"
  | "issuer"
  | "audience"
  | "tenant"
  | "expired"
  | "premature"
  | "nonce"
  | "acr"
  | "too_old"
  | "keys_unavailable";

const sentences: Readonly<Record<StepUpTokenReason, string>> = {
  malformed: "The text is not a step-up token.",
  algorithm: "The token is not signed with EdDSA.",
  unknown_key: "No published key has signed the token.",
  signature: "The signature of the token is wrong.",
  issuer: "The token is from another issuer.",
  audience: "The token is for another audience.",
  tenant: "The token is from another tenant.",
  expired: "The token has expired.",
  premature: "The verification is in the future.",
  nonce: "The token has another nonce.",
  acr: "The verification is weaker than required.",
  too_old: "The verification is older than allowed.",
  keys_unavailable: "The public keys could not be fetched.",
};

/**
 * A token that must not be accepted. Its message and its fields contain nothing of the token. `cause` says why keys
 * could not be fetched.
 */
export class StepUpTokenError extends Error {
  readonly reason: StepUpTokenReason;

  constructor(reason: StepUpTokenReason, options?: { readonly cause: unknown }) {
    super(sentences[reason], options);
    this.name = "StepUpTokenError";
    this.reason = reason;
  }
}
