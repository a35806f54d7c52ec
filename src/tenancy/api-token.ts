/**
 * API tokens: `idp_live_` or `idp_test_`, then tenant id (12 bytes) and 20 random bytes as 43 base62
 * digits, then a CRC-32 of all that as 6 base62 digits.
 *
 * The checksum refuses a mistyped token without a lookup and lets secret scanners recognise a leaked
 * one; it is no secret. 160 random bits are (OWASP ASVS 5.0 asks for 128).
 */
import { hex } from "@scure/base";
import crc32 from "crc-32";
import { toHex } from "../crypto/bytes.ts";
import { sha256Hex } from "../crypto/digest.ts";

export type Mode = "live" | "test";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const tenantBytes = 12;
const randomBytes = 20;
const payloadBytes = tenantBytes + randomBytes;
/** Smallest number of base62 digits that holds 256 bits. */
const payloadDigits = 43;
const checksumDigits = 6;
const pattern = new RegExp(
  `^(idp_(live|test)_([0-9A-Za-z]{${payloadDigits}}))([0-9A-Za-z]{${checksumDigits}})$`,
);

function encodeBase62(value: bigint, width: number): string {
  let digits = "";
  for (let rest = value; digits.length < width; rest /= 62n) {
    digits = alphabet.charAt(Number(rest % 62n)) + digits;
  }
  return digits;
}

function decodeBase62(digits: string): bigint {
  let value = 0n;
  for (const digit of digits) value = value * 62n + BigInt(alphabet.indexOf(digit));
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

/** Mode and tenant of a token of the right form; undefined where form or checksum are wrong. */
export function parseApiToken(
  token: string,
): { readonly mode: Mode; readonly tenantId: string } | undefined {
  const [, text, mode, payload, sum] = pattern.exec(token) ?? [];
  if (text === undefined || payload === undefined || checksumOf(text) !== sum) return undefined;
  const digits = decodeBase62(payload)
    .toString(16)
    .padStart(payloadBytes * 2, "0");
  if (digits.length !== payloadBytes * 2) return undefined;
  const tenantId = toHex(hex.decode(digits).subarray(0, tenantBytes));
  return { mode: mode === "live" ? "live" : "test", tenantId };
}

/** What is stored of a token: SHA-256, hex. Its 160 random bits need no slower hash. */
export function hashApiToken(token: string): string {
  return sha256Hex(token);
}
