/** HOTP (RFC 4226) with the HMAC of WebCrypto. */

/** RFC 4226 has SHA-1; RFC 6238 §1.2 adds the other two. */
export type HashAlgorithm = "SHA-1" | "SHA-256" | "SHA-512";

/** Imports a secret as a key for `computeHotp`, which can be used for several counters. */
export function importSecret(
  secret: Uint8Array<ArrayBuffer>,
  algorithm: HashAlgorithm = "SHA-1",
): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: algorithm }, false, ["sign"]);
}

/** Dynamic truncation, RFC 4226 §5.3: 31 bits at the offset in the last nibble. */
function truncate(hmac: Uint8Array): number {
  const offset = (hmac.at(-1) ?? 0) & 0x0f;
  const view = new DataView(hmac.buffer, hmac.byteOffset + offset, 4);
  return view.getUint32(0) & 0x7fff_ffff;
}

/**
 * Computes the code for one counter.
 * @param counter an integer ≥ 0; for TOTP the time step
 * @param digits the length of the code, 6 to 8 (RFC 4226 §5.3)
 * @throws RangeError for a counter or a number of digits out of range
 */
export async function computeHotp(key: CryptoKey, counter: number, digits = 6): Promise<string> {
  if (!Number.isSafeInteger(counter) || counter < 0) throw new RangeError("counter out of range");
  if (!Number.isInteger(digits) || digits < 6 || digits > 8) {
    throw new RangeError("digits out of range");
  }
  const message = new ArrayBuffer(8);
  new DataView(message).setBigUint64(0, BigInt(counter));
  const hmac = await crypto.subtle.sign("HMAC", key, message);
  return String(truncate(new Uint8Array(hmac)) % 10 ** digits).padStart(digits, "0");
}
