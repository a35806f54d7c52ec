/** An authenticator app: the `otpauth` package, an independent implementation. */
import { Secret, TOTP } from "otpauth";

/** What an app reads from the key URI besides the secret. Absent parameters have the defaults of the format. */
export interface CodeParameters {
  readonly algorithm?: string;
  readonly digits?: number;
  readonly period?: number;
}

/** The digits that a phone shows for the base32 secret at that time (Unix ms). */
export function codeFor(secret: string, at: number, parameters: CodeParameters = {}): string {
  const totp = new TOTP({ ...parameters, secret: Secret.fromBase32(secret) });
  return totp.generate({ timestamp: at });
}
