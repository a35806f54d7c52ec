/** SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), synchronous, so that a transaction can use them. */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { encodeUtf8, toHex } from "./bytes.ts";

export function sha256Of(data: Uint8Array | string): Uint8Array {
  return sha256(typeof data === "string" ? encodeUtf8(data) : data);
}

export function sha256HexOf(data: Uint8Array | string): string {
  return toHex(sha256Of(data));
}

export function hmacSha256Of(key: Uint8Array, data: Uint8Array): Uint8Array {
  return hmac(sha256, key, data);
}
