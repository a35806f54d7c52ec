/** Ceremonies between a software authenticator and the verification. */
import { base64urlnopad } from "@scure/base";
import { parseAuthentication, parseRegistration } from "../../src/passkeys/parse.ts";
import { algorithms, type NewCredential, type Passkey } from "../../src/passkeys/passkey.ts";
import type { Expectations } from "../../src/passkeys/steps.ts";
import { passkeyIdOf, userHandleOf } from "../../src/passkeys/user-handle.ts";
import {
  type AuthenticationExpectations,
  verifyAuthentication,
} from "../../src/passkeys/verify-authentication.ts";
import { verifyRegistration } from "../../src/passkeys/verify-registration.ts";
import type {
  AuthenticationAnswer,
  CreationOptions,
  RegistrationAnswer,
  RequestOptions,
} from "../support/passkey-json.ts";

export const tenantId = "67c9000000000000000000aa";
export const identityId = "6908bffd0000000000000001";
export const page = { origin: "https://login.example.org" };
export const challenge = base64urlnopad.encode(new Uint8Array(32).fill(7));

export const creationOptions: CreationOptions = {
  challenge,
  rp: { id: "example.org" },
  user: { id: userHandleOf(identityId) },
  pubKeyCredParams: algorithms.map((alg) => ({ alg })),
};
export const requestOptions: RequestOptions = { challenge, rpId: "example.org" };

export const expectations: Expectations = {
  challenge,
  relyingParty: { id: "example.org", origins: [page.origin], topOrigins: [] },
  userVerification: "required",
};

/** Parses and verifies a registration. */
export async function checkRegistration(
  answer: RegistrationAnswer,
  expected: Partial<Expectations> = {},
) {
  const parsed = parseRegistration(answer);
  if (!parsed.ok) return parsed;
  return await verifyRegistration(parsed.value, { ...expectations, ...expected });
}

export function toPasskey(credential: NewCredential): Passkey {
  return {
    ...credential,
    id: passkeyIdOf(tenantId, credential.credentialId),
    name: "Phone",
    rpId: "example.org",
    createdAt: 0,
    lastUsedAt: null,
  };
}

/** The passkey of a registration, which must succeed. */
export async function storePasskey(
  answer: RegistrationAnswer,
  expected: Partial<Expectations> = {},
): Promise<Passkey> {
  const result = await checkRegistration(answer, expected);
  if (!result.ok) throw new Error(JSON.stringify(result));
  return toPasskey(result.value);
}

/** Parses and verifies an authentication. */
export async function checkAuthentication(
  answer: AuthenticationAnswer,
  expected: Pick<AuthenticationExpectations, "passkey"> & Partial<AuthenticationExpectations>,
) {
  const parsed = parseAuthentication(answer);
  if (!parsed.ok) return parsed;
  return await verifyAuthentication(parsed.value, { ...expectations, identityId, ...expected });
}
