/**
 * The otpauth key URI that authenticator apps read from a QR code
 * (https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
 */

interface KeyUriParts {
  /** Neither issuer nor account may contain a colon, which separates them in the label. */
  readonly issuer: string;
  readonly account: string;
  /** Base32 without padding. */
  readonly secret: string;
}

/**
 * Spaces are encoded as `%20`, because several apps show a `+` unchanged. Algorithm, digits and period have
 * the defaults of the format and are left out, because some apps refuse parameters that they do not expect.
 */
export function buildKeyUri({ issuer, account, secret }: KeyUriParts): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}`;
}
