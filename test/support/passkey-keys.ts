/** The keys of passkeys, on WebCrypto. */
import type { Algorithm } from "../../src/passkeys/passkey.ts";
import { encodeDer } from "./passkey-encoding.ts";

const parameters = {
  [-7]: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  [-8]: { name: "Ed25519" },
  [-257]: {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: "SHA-256",
  },
} as const;

export function isAlgorithm(value: number | undefined): value is Algorithm {
  return value === -7 || value === -8 || value === -257;
}

export async function createKeys(algorithm: Algorithm): Promise<CryptoKeyPair> {
  const keys = await crypto.subtle.generateKey(parameters[algorithm], true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new TypeError("Not a pair of keys");
  return keys;
}

export async function exportJwk(key: CryptoKey): Promise<JsonWebKey> {
  const jwk = await crypto.subtle.exportKey("jwk", key);
  if (jwk instanceof ArrayBuffer) throw new TypeError("Not a JWK");
  return jwk;
}

/** Signs as an authenticator does: ECDSA in DER. */
export async function signMessage(
  algorithm: Algorithm,
  key: CryptoKey,
  message: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const signature = new Uint8Array(await crypto.subtle.sign(parameters[algorithm], key, message));
  return algorithm === -7 ? new Uint8Array(encodeDer(signature)) : signature;
}
