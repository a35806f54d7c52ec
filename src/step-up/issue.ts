/** Issues step-up tokens: JSON Web Tokens (RFC 7519) that prove a verification to other services. */
import { SignJWT } from "jose";
import type { Config } from "../env.ts";
import { buildClaims, type Proof, type StepUpRequest } from "./claims.ts";
import { algorithm, findSigningKey } from "./token-keys.ts";

export type IssueToken = (proof: Proof) => Promise<string>;

/**
 * Imports the key before anything is verified, so that afterwards only the signature is left to make.
 * @returns undefined if the service is not set up to issue tokens
 */
export async function prepareIssuing(
  { tokenSigningKeys, publicUrl }: Config,
  request: StepUpRequest,
): Promise<IssueToken | undefined> {
  if (tokenSigningKeys === undefined || publicUrl === undefined) return undefined;
  const { privateKey, published } = await findSigningKey(tokenSigningKeys);
  // The keyring signs nothing else, so the type that all libraries accept suffices (RFC 8725 §3.11).
  const header = { alg: algorithm, kid: published.kid, typ: "JWT" };
  return async (proof) =>
    await new SignJWT(buildClaims(publicUrl, request, proof))
      .setProtectedHeader(header)
      .sign(privateKey);
}
