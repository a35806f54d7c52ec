/** Signs with Ed25519 (RFC 8032) on WebCrypto, with keys from seeds of 32 bytes. See also signature.ts. */
import { base64, base64urlnopad, hex } from "@scure/base";

/** PKCS #8 up to the seed (RFC 8410 §7): WebCrypto takes private keys in no shorter form. */
const pkcs8Prefix = hex.decode("302e020100300506032b657004220420");

export interface SigningKey {
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** For a library that signs by itself. */
  readonly privateKey: CryptoKey;
  sign(message: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
}

const imported = new WeakMap<Uint8Array, Promise<SigningKey>>();

async function importSeed(seed: Uint8Array): Promise<SigningKey> {
  const pkcs8 = new Uint8Array([...pkcs8Prefix, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const jwk = await crypto.subtle.exportKey("jwk", key);
  if (jwk instanceof ArrayBuffer || jwk.x === undefined) throw new TypeError("Not an Ed25519 key");
  return {
    publicKey: new Uint8Array(base64urlnopad.decode(jwk.x)),
    privateKey: key,
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, message)),
  };
}

/** Imports the key of a seed, once per isolate. */
export function signingKeyOf(seed: Uint8Array): Promise<SigningKey> {
  let key = imported.get(seed);
  if (key === undefined) {
    key = importSeed(seed);
    imported.set(seed, key);
  }
  return key;
}

/** @returns base64 of the 32 bytes */
export function formatPublicKey(publicKey: Uint8Array): string {
  return base64.encode(publicKey);
}
