import type { ParsedRegistration } from "./parse.ts";
import type { NewCredential, PasskeyRefusal, RelyingParty, UserVerification } from "./passkey.ts";

export interface RegistrationExpectations {
  /** The challenge of the ceremony, which the caller has opened. */
  readonly challenge: string;
  readonly relyingParty: RelyingParty;
  readonly userVerification: UserVerification;
}

export async function verifyRegistration(
  _answer: ParsedRegistration,
  _expected: RegistrationExpectations,
): Promise<{ readonly ok: true; readonly value: NewCredential } | PasskeyRefusal> {
  throw new Error("TODO");
}
