/** Byte and text conversions that several modules share. */
import { hex } from "@scure/base";

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function toHex(bytes: Uint8Array): string {
  return hex.encode(bytes);
}

/** Parts joined by NUL: unambiguous, because no part (ids, purposes, identifiers) may hold a NUL. */
export function joinParts(...parts: readonly string[]): Uint8Array {
  return utf8(parts.join("\0"));
}
