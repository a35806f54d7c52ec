/**
 * Reads otpauth key URIs, as other systems write them
 * (https://github.com/google/google-authenticator/wiki/Key-Uri-Format).
 */
import { defaultParameters, type TotpAlgorithm, totpAlgorithms } from "./totp.ts";

/** What a key URI of TOTP says. Nothing of it is validated but its form. */
export interface ParsedKeyUri {
  readonly secret: string;
  readonly issuer: string | null;
  readonly account: string | null;
  readonly algorithm: string;
  readonly digits: number;
  readonly period: number;
}

/** Reads a whole number; NaN for any other text. */
function readNumber(text: string | null, absent: number): number {
  if (text === null || text === "") return absent;
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
}

/** The issuer and the account in a label: `issuer:account`, or the account alone. */
function splitLabel(path: string): readonly [issuer: string | null, account: string | null] {
  const label = decodeURIComponent(path.replace(/^\//, ""));
  const colon = label.indexOf(":");
  const issuer = colon === -1 ? "" : label.slice(0, colon).trim();
  const account = label.slice(colon + 1).trim();
  return [issuer === "" ? null : issuer, account === "" ? null : account];
}

/**
 * Reads a key URI. @returns `other_type` for the URI of anything but plain TOTP, such as HOTP; undefined for a text
 * that is no key URI, or has two values for what its codes depend on
 */
export function parseKeyUri(text: string): ParsedKeyUri | "other_type" | undefined {
  const uri = URL.parse(text.trim());
  if (uri?.protocol !== "otpauth:") return undefined;
  const { searchParams: parameters } = uri;
  // Some systems name a code of their own by a parameter: `encoder=steam`.
  if (uri.host.toLowerCase() !== "totp" || parameters.has("encoder")) return "other_type";
  // Of two values, some apps take the first and some the last.
  const isUnclear = ["secret", "algorithm", "digits", "period"].some(
    (name) => new Set(parameters.getAll(name)).size > 1,
  );
  const secret = parameters.get("secret");
  if (secret === null || isUnclear) return undefined;
  try {
    const [labelIssuer, account] = splitLabel(uri.pathname);
    return {
      secret,
      issuer: parameters.get("issuer") || labelIssuer,
      account,
      algorithm: parameters.get("algorithm") || defaultParameters.algorithm,
      digits: readNumber(parameters.get("digits"), defaultParameters.digits),
      period: readNumber(parameters.get("period"), defaultParameters.period),
    };
  } catch {
    // The label has invalid percent-encoding.
    return undefined;
  }
}

/** Reads the name of an algorithm: `SHA1`, `sha-1` or `HmacSHA1`. Undefined for one that TOTP does not have. */
export function readAlgorithm(text: string): TotpAlgorithm | undefined {
  const name = text.toUpperCase().replace(/^HMAC/, "").replaceAll(/[-_]/g, "");
  return totpAlgorithms.find((algorithm) => algorithm === name);
}
