/** Public keys in the form of COSE (RFC 9052 §7, RFC 9053 §7, RFC 8230 §4; pure), for the three algorithms. */
import { type CborMap, decodeCbor } from "../crypto/cbor.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export type PublicKey =
  | { readonly algorithm: -7; readonly x: Bytes; readonly y: Bytes }
  | { readonly algorithm: -8; readonly x: Bytes }
  | { readonly algorithm: -257; readonly modulus: Bytes };

/** Labels of parameters. What −1 and −2 mean depends on the key type. */
const labels = { keyType: 1, algorithm: 3, curve: -1, x: -2, y: -3, modulus: -1, exponent: -2 };
const keyTypes = { octetKeyPair: 1, ellipticCurve: 2, rsa: 3 };
const curves = { p256: 1, ed25519: 6 };
const coordinateBytes = 32;
const rsaBits = { min: 2048, max: 4096 };
const exponent65537: readonly number[] = [1, 0, 1];

function bytesOf(key: CborMap, label: number): Bytes | undefined {
  const value = key.get(label);
  return value instanceof Uint8Array ? new Uint8Array(value) : undefined;
}

function coordinateOf(key: CborMap, label: number): Bytes | undefined {
  const bytes = bytesOf(key, label);
  return bytes?.length === coordinateBytes ? bytes : undefined;
}

function readEs256(key: CborMap): PublicKey | string {
  const [x, y] = [coordinateOf(key, labels.x), coordinateOf(key, labels.y)];
  const isP256 =
    key.get(labels.keyType) === keyTypes.ellipticCurve && key.get(labels.curve) === curves.p256;
  if (!isP256 || key.size !== 5 || x === undefined || y === undefined) {
    return "The key is not one of ES256: it must have the curve P-256 and two coordinates of 32 bytes.";
  }
  return { algorithm: -7, x, y };
}

function readEdDsa(key: CborMap): PublicKey | string {
  const x = coordinateOf(key, labels.x);
  const isEd25519 =
    key.get(labels.keyType) === keyTypes.octetKeyPair && key.get(labels.curve) === curves.ed25519;
  if (!isEd25519 || key.size !== 4 || x === undefined) {
    return "The key is not one of EdDSA with the curve Ed25519 and 32 bytes.";
  }
  return { algorithm: -8, x };
}

function bitsOf(modulus: Uint8Array): number {
  return 8 * modulus.length - (Math.clz32(modulus[0] ?? 0) - 24);
}

function readRs256(key: CborMap): PublicKey | string {
  const modulus = bytesOf(key, labels.modulus);
  const exponent = bytesOf(key, labels.exponent);
  const isRsa = key.get(labels.keyType) === keyTypes.rsa && key.size === 4;
  if (!isRsa || modulus === undefined || exponent === undefined) {
    return "The key is not one of RS256: it must have a modulus and an exponent.";
  }
  if (String(exponent) !== String(exponent65537)) {
    return "The key of RS256 has an exponent other than 65,537.";
  }
  const bits = bitsOf(modulus);
  const isMinimal = modulus[0] !== 0;
  const isOdd = (modulus.at(-1) ?? 0) % 2 === 1;
  if (!isMinimal || !isOdd || bits < rsaBits.min || bits > rsaBits.max) {
    return "The key of RS256 has a modulus that is not an odd number of 2,048 to 4,096 bits.";
  }
  return { algorithm: -257, modulus };
}

/**
 * Reads a key that has exactly the parameters that its algorithm requires (WebAuthn §6.5.1.1).
 * @returns a sentence about what is wrong with it, if it is no such key
 */
export function readPublicKey(cose: Uint8Array): PublicKey | string {
  let key: ReturnType<typeof decodeCbor>;
  try {
    key = decodeCbor(cose);
  } catch {
    return "The key is not canonical CBOR.";
  }
  if (!(key instanceof Map)) return "The key is not a map.";
  switch (key.get(labels.algorithm)) {
    case -7:
      return readEs256(key);
    case -8:
      return readEdDsa(key);
    case -257:
      return readRs256(key);
    default:
      return "The key's algorithm is none of -7 (ES256), -8 (EdDSA) and -257 (RS256), which the options offered.";
  }
}
