/** Keys and signatures of passkeys on WebCrypto. */
import { base64urlnopad } from "@scure/base";
import { hasSmallOrder, isSignedBy } from "../crypto/signature.ts";
import type { PublicKey } from "./cose-key.ts";
import { readEcdsaSignature } from "./ecdsa-signature.ts";
import { isPoint } from "./ed25519-point.ts";

type Bytes = Uint8Array<ArrayBuffer>;

function importEs256({ x, y }: PublicKey & { algorithm: -7 }): Promise<CryptoKey> {
  const point = new Uint8Array([4, ...x, ...y]);
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return crypto.subtle.importKey("raw", point, algorithm, false, ["verify"]);
}

function importRs256({ modulus }: PublicKey & { algorithm: -257 }): Promise<CryptoKey> {
  const key = { kty: "RSA", n: base64urlnopad.encode(modulus), e: "AQAB" };
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  return crypto.subtle.importKey("jwk", key, algorithm, false, ["verify"]);
}

/** Whether the key is a point of its curve from which no one can sign without a private key. */
export async function isUsableKey(key: PublicKey): Promise<boolean> {
  if (key.algorithm === -8) return !hasSmallOrder(key.x) && isPoint(key.x);
  try {
    await (key.algorithm === -7 ? importEs256(key) : importRs256(key));
    return true;
  } catch {
    return false;
  }
}

/** Whether the private key of `key`, which is usable, signed the message. */
export async function verifySignature(
  key: PublicKey,
  signature: Bytes,
  message: Bytes,
): Promise<boolean> {
  switch (key.algorithm) {
    case -7: {
      const raw = readEcdsaSignature(signature);
      if (raw === undefined) return false;
      const algorithm = { name: "ECDSA", hash: "SHA-256" };
      return await crypto.subtle.verify(algorithm, await importEs256(key), raw, message);
    }
    case -8:
      return await isSignedBy(key.x, signature, message);
    case -257:
      return await crypto.subtle.verify(
        "RSASSA-PKCS1-v1_5",
        await importRs256(key),
        signature,
        message,
      );
  }
}
