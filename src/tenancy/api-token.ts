/**
 * The format of API tokens: `idp_live_` or `idp_test_`, then 43 base62 digits for the tenant id (12 bytes)
 * and 20 random bytes, then 6 base62 digits for a CRC-32 of everything before.
 *
 * The checksum is not a secret. It rejects a mistyped token without a look-up, and secret scanners recognise
 * a leaked token by it. The secret is the 160 random bits (OWASP ASVS 5.0 requires 128).
 */
import crc32 from "crc-32";
import { toHex } from "../crypto/bytes.ts";
import { computeSha256Hex } from "../crypto/digest.ts";

export type Mode = "live" | "test";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const tenantBytes = 12;
const randomBytes = 20;
const payloadBytes = tenantBytes + randomBytes;
/** The number of base62 digits that 256 bits need. */
const payloadDigits = 43;
const checksumDigits = 6;
const pattern = new RegExp(
  `^(idp_(live|test)_([0-9A-Za-z]{${payloadDigits}}))([0-9A-Za-z]{${checksumDigits}})$`,
);

/** As many base62 digits as a number has exactly: 62⁸ < 2⁵³. */
const digitsPerStep = 8;

function encodeBase62(value: bigint, width: number): string {
  let digits = "";
  for (let rest = value; digits.length < width; rest /= 62n) {
    digits = alphabet.charAt(Number(rest % 62n)) + digits;
  }
  return digits;
}

/** In steps that a number can hold, because each operation on a `bigint` costs as much as many on numbers. */
function decodeBase62(digits: string): bigint {
  let value = 0n;
  for (let from = 0; from < digits.length; from += digitsPerStep) {
    const step = digits.slice(from, from + digitsPerStep);
    let number = 0;
    for (const digit of step) number = number * 62 + alphabet.indexOf(digit);
    value = value * BigInt(62 ** step.length) + BigInt(number);
  }
  return value;
}

function checksumOf(text: string): string {
  return encodeBase62(BigInt(crc32.str(text) >>> 0), checksumDigits);
}

/** @param random 20 bytes from the CSPRNG */
export function formatApiToken(mode: Mode, tenantId: string, random: Uint8Array): string {
  const payload = BigInt(`0x${tenantId}${toHex(random)}`);
  const text = `idp_${mode}_${encodeBase62(payload, payloadDigits)}`;
  return text + checksumOf(text);
}

export function createApiToken(mode: Mode, tenantId: string): string {
  return formatApiToken(mode, tenantId, crypto.getRandomValues(new Uint8Array(randomBytes)));
}

/** Parses mode and tenant id; undefined if the format or the checksum is wrong. */
export function parseApiToken(
  token: string,
): { readonly mode: Mode; readonly tenantId: string } | undefined {
  const [, text, mode, payload, sum] = pattern.exec(token) ?? [];
  if (text === undefined || payload === undefined || checksumOf(text) !== sum) return undefined;
  const hex = decodeBase62(payload)
    .toString(16)
    .padStart(payloadBytes * 2, "0");
  if (hex.length !== payloadBytes * 2) return undefined;
  return { mode: mode === "live" ? "live" : "test", tenantId: hex.slice(0, tenantBytes * 2) };
}

/** The stored form of a token: SHA-256, hex. With 160 random bits no slower hash is needed. */
export async function hashApiToken(token: string): Promise<string> {
  return await computeSha256Hex(token);
}
