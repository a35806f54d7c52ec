/**
 * The otpauth key URI that authenticator apps read from a QR code
 * (https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
 */
import { defaultParameters, type TotpParameters } from "./totp.ts";

interface KeyUriParts extends Partial<TotpParameters> {
  /** Neither issuer nor account may contain a colon, which separates them in the label. */
  readonly issuer: string;
  readonly account: string;
  /** Base32 without padding. */
  readonly secret: string;
}

/**
 * Spaces are encoded as `%20`, because several apps show a `+` unchanged. Algorithm, digits and period are left out if
 * they have the defaults of the format, because some apps refuse parameters that they do not expect.
 */
export function buildKeyUri({ issuer, account, secret, ...parameters }: KeyUriParts): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  const { algorithm, digits, period }: TotpParameters = { ...defaultParameters, ...parameters };
  const others = [
    ...(algorithm === defaultParameters.algorithm ? [] : [`&algorithm=${algorithm}`]),
    ...(digits === defaultParameters.digits ? [] : [`&digits=${digits}`]),
    ...(period === defaultParameters.period ? [] : [`&period=${period}`]),
  ].join("");
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}${others}`;
}
