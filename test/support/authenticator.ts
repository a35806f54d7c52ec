/** An authenticator app: the `otpauth` package, an independent implementation. */
import { Secret, TOTP } from "otpauth";

/** The six digits that a phone shows for the base32 secret at that time (Unix ms). */
export function codeFor(secret: string, at: number): string {
  return new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at });
}
