/**
 * The otpauth key URI that authenticator apps read from a QR code
 * (https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
 */

interface KeyUriParts {
  /** Neither name may hold a colon: it separates the two in the label. */
  readonly issuer: string;
  readonly account: string;
  /** Base32 without padding. */
  readonly secret: string;
}

/**
 * Everything is percent-encoded, spaces as `%20`: several apps show a `+` as it stands.
 * Algorithm, digits and period are the defaults of the format and are left out, because some apps
 * refuse what they do not expect.
 */
export function buildKeyUri({ issuer, account, secret }: KeyUriParts): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}`;
}
