/**
 * SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104). The synchronous ones are for transactions and decisions. Those of
 * WebCrypto take a tenth of the time, and a hundredth for long texts.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { encodeUtf8, toHex } from "./bytes.ts";

export function sha256Of(data: Uint8Array | string): Uint8Array {
  return sha256(typeof data === "string" ? encodeUtf8(data) : data);
}

export function sha256HexOf(data: Uint8Array | string): string {
  return toHex(sha256Of(data));
}

/** Works like `sha256HexOf`, for code that may wait. */
export async function computeSha256Hex(text: string): Promise<string> {
  const bytes = new Uint8Array(encodeUtf8(text));
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

export function hmacSha256Of(key: Uint8Array, data: Uint8Array): Uint8Array {
  return hmac(sha256, key, data);
}
