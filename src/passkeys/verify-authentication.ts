import type { ParsedAuthentication } from "./parse.ts";
import type {
  Assertion,
  Passkey,
  PasskeyRefusal,
  RelyingParty,
  UserVerification,
} from "./passkey.ts";

export interface AuthenticationExpectations {
  /** The challenge of the ceremony, which the caller has opened. */
  readonly challenge: string;
  readonly relyingParty: RelyingParty;
  readonly userVerification: UserVerification;
  readonly identityId: string;
  readonly passkey: Passkey;
}

export async function verifyAuthentication(
  _answer: ParsedAuthentication,
  _expected: AuthenticationExpectations,
): Promise<{ readonly ok: true; readonly value: Assertion } | PasskeyRefusal> {
  throw new Error("TODO");
}
