/** What authenticators encode: COSE keys, attestation objects and ECDSA signatures in DER. */
import { base64urlnopad } from "@scure/base";
import { type CborValue, encodeCbor } from "../../src/crypto/cbor.ts";
import type { Algorithm } from "../../src/passkeys/passkey.ts";

/** A CBOR map of fewer than 24 entries, in the order given. */
export function encodeMap(...entries: readonly (readonly [CborValue, CborValue])[]): Uint8Array {
  return new Uint8Array([
    0xa0 | entries.length,
    ...entries.flatMap(([key, value]) => [...encodeCbor(key), ...encodeCbor(value)]),
  ]);
}

export function encodeEs256Key(x: Uint8Array, y: Uint8Array): Uint8Array {
  return encodeMap([1, 2], [3, -7], [-1, 1], [-2, x], [-3, y]);
}

export function encodeEdDsaKey(x: Uint8Array): Uint8Array {
  return encodeMap([1, 1], [3, -8], [-1, 6], [-2, x]);
}

export function encodeRs256Key(
  modulus: Uint8Array,
  exponent = new Uint8Array([1, 0, 1]),
): Uint8Array {
  return encodeMap([1, 3], [3, -257], [-1, modulus], [-2, exponent]);
}

export function encodeCoseKey(algorithm: Algorithm, jwk: JsonWebKey): Uint8Array {
  const { x = "", y = "", n = "" } = jwk;
  if (algorithm === -7) return encodeEs256Key(base64urlnopad.decode(x), base64urlnopad.decode(y));
  if (algorithm === -8) return encodeEdDsaKey(base64urlnopad.decode(x));
  return encodeRs256Key(base64urlnopad.decode(n));
}

/** @param statement CBOR; by default an empty map */
export function encodeAttestationObject(
  authenticatorData: Uint8Array,
  format = "none",
  statement: Uint8Array = encodeMap(),
): Uint8Array {
  return new Uint8Array([
    0xa3,
    ...encodeMap(["fmt", format]).subarray(1),
    ...encodeCbor("attStmt"),
    ...statement,
    ...encodeMap(["authData", authenticatorData]).subarray(1),
  ]);
}

function encodeInteger(digits: Uint8Array): number[] {
  const first = digits.findIndex((byte) => byte !== 0);
  const minimal = [...digits.subarray(first === -1 ? digits.length - 1 : first)];
  const content = (minimal[0] ?? 0) >= 0x80 ? [0, ...minimal] : minimal;
  return [0x02, content.length, ...content];
}

/** Converts r and s, as WebCrypto signs, to DER. */
export function encodeDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const content = [...encodeInteger(raw.subarray(0, half)), ...encodeInteger(raw.subarray(half))];
  return new Uint8Array([0x30, content.length, ...content]);
}
