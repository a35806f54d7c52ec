/** The keys of step-up tokens, as JSON Web Keys (RFC 7517, RFC 8037) named by their thumbprint (RFC 7638). */
import { base64urlnopad } from "@scure/base";
import { calculateJwkThumbprint } from "jose";
import { type Keyring, keyOf } from "../crypto/keyring.ts";
import { signingKeyOf } from "../crypto/signing.ts";
import { listVersions, signingVersionOf } from "./signing-version.ts";

/** The name from RFC 8037, because few libraries know `Ed25519` from RFC 9864 yet. */
export const algorithm = "EdDSA";

export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  /** The public key, in base64url without padding. */
  readonly x: string;
  readonly kid: string;
  readonly use: "sig";
  readonly alg: typeof algorithm;
}

interface TokenKey {
  readonly privateKey: CryptoKey;
  readonly published: PublicJwk;
}

const derived = new WeakMap<Uint8Array, Promise<TokenKey>>();

async function deriveKey(seed: Uint8Array): Promise<TokenKey> {
  const { publicKey, privateKey } = await signingKeyOf(seed);
  const jwk = { kty: "OKP", crv: "Ed25519", x: base64urlnopad.encode(publicKey) } as const;
  const kid = await calculateJwkThumbprint(jwk);
  return { privateKey, published: { ...jwk, kid, use: "sig", alg: algorithm } };
}

/** The key of a version, derived once per isolate. */
function tokenKeyOf(ring: Keyring, version: number): Promise<TokenKey> {
  const seed = keyOf(ring, version);
  const known = derived.get(seed) ?? deriveKey(seed);
  derived.set(seed, known);
  return known;
}

export async function findSigningKey(ring: Keyring): Promise<TokenKey> {
  return await tokenKeyOf(ring, signingVersionOf(ring));
}

/** All public keys, the newest first: the one that is announced, the one that signs, and earlier ones. */
export async function listPublishedKeys(ring: Keyring): Promise<PublicJwk[]> {
  const keys = await Promise.all(listVersions(ring).map((version) => tokenKeyOf(ring, version)));
  return keys.map(({ published }) => published);
}
