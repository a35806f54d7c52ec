/** Hashes as D1 keeps them (pure): in base64url, a third shorter than in hex. */
import { base64urlnopad, hex } from "@scure/base";

const digestPattern = /^[0-9a-f]{64}$/;
/** Characters of a SHA-256 digest in base64url. */
export const shortDigestLength = 43;

/** Shortens a text of hex digits to base64url. */
export function shortenHex(text: string): string {
  return base64urlnopad.encode(hex.decode(text));
}

/** @throws Error if the text is not base64url */
export function restoreHex(stored: string): string {
  return hex.encode(base64urlnopad.decode(stored));
}

/** Whether the text is a SHA-256 digest in hex. */
export function isDigest(text: string): boolean {
  return digestPattern.test(text);
}

/** Shortens a SHA-256 digest in hex. Any other text stays as it is. */
export function shortenDigest(text: string): string {
  return isDigest(text) ? shortenHex(text) : text;
}

/** Restores a stored digest to hex. A text of another form, such as the hex of older builds, stays as it is. */
export function restoreDigest(stored: string): string {
  if (stored.length !== shortDigestLength) return stored;
  try {
    return restoreHex(stored);
  } catch {
    return stored;
  }
}
