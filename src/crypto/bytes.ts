/** Conversions between bytes and text. */
import { hex } from "@scure/base";

const encoder = new TextEncoder();

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function toHex(bytes: Uint8Array): string {
  return hex.encode(bytes);
}

/** Joins parts by NUL. Unambiguous, because no part (an id, a purpose, an identifier) may contain NUL. */
export function joinParts(...parts: readonly string[]): Uint8Array {
  return encodeUtf8(parts.join("\0"));
}
