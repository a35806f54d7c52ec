/**
 * Challenges that nothing stores: kind, key version, issue time and 16 random bytes, then HMAC-SHA-256 over these and
 * the facts of the ceremony. The key is derived (HKDF, RFC 5869) from a version of the sealing keys, so that a rotation
 * keeps the challenges of the older version valid.
 */
import { base64urlnopad } from "@scure/base";
import { encodeUtf8, joinParts } from "../crypto/bytes.ts";
import { type Keyring, keyOf } from "../crypto/keyring.ts";
import { decodeBase64url } from "./base64url.ts";
import type { UserVerification } from "./passkey.ts";

/** From its issue until it expires. */
export const challengeLifetimeMs = 300_000;
/** How far the clock that issued a challenge may be ahead of the one that opens it. */
export const maxClockDifferenceMs = 30_000;

export interface ChallengeFacts {
  readonly kind: "registration" | "authentication";
  readonly tenantId: string;
  /** Null in a ceremony that does not name the user. */
  readonly identityId: string | null;
  readonly rpId: string;
  readonly userVerification: UserVerification;
}

export interface OpenedChallenge {
  /** The random bytes, base64url. */
  readonly nonce: string;
  /** Unix ms. */
  readonly issuedAt: number;
}

const kinds = { registration: 1, authentication: 2 } as const;
/** Kind: 1 byte; key version: 4; issue time: 6; nonce: 16. */
const headBytes = 27;
const offsets = { version: 1, issuedAt: 5, nonce: 11 } as const;
const macBytes = 32;

const derived = new WeakMap<Uint8Array, Promise<CryptoKey>>();

async function deriveKey(sealingKey: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey("raw", sealingKey, "HKDF", false, ["deriveKey"]);
  return await crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(),
      info: new Uint8Array(encodeUtf8("edge-idp passkey challenge")),
    },
    base,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
}

/** Derives the key of a sealing key, once per isolate. */
function macKeyOf(sealingKey: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  let key = derived.get(sealingKey);
  if (key === undefined) {
    key = deriveKey(sealingKey);
    derived.set(sealingKey, key);
  }
  return key;
}

/** The head has a fixed length, and no part of the facts contains NUL, so that the message is unambiguous. */
function messageOf(head: Uint8Array, facts: ChallengeFacts): Uint8Array<ArrayBuffer> {
  const { tenantId, identityId, rpId, userVerification } = facts;
  const rest = joinParts(tenantId, identityId ?? "", rpId, userVerification);
  return new Uint8Array([...head, ...rest]);
}

/** Creates a challenge for a ceremony. @param now Unix ms @returns base64url */
export async function createChallenge(
  sealingKeys: Keyring,
  facts: ChallengeFacts,
  now: number,
): Promise<string> {
  const head = crypto.getRandomValues(new Uint8Array(headBytes));
  const view = new DataView(head.buffer);
  // Eight bytes, of which the first two are 0; what precedes and follows is written over them.
  view.setBigUint64(offsets.nonce - 8, BigInt(now));
  view.setUint32(offsets.version, sealingKeys.newest);
  view.setUint8(0, kinds[facts.kind]);
  const key = await macKeyOf(keyOf(sealingKeys, sealingKeys.newest));
  const mac = await crypto.subtle.sign("HMAC", key, messageOf(head, facts));
  return base64urlnopad.encode(new Uint8Array([...head, ...new Uint8Array(mac)]));
}

/**
 * Opens a challenge that was created for the same facts.
 * @param now Unix ms
 * @returns undefined if it is not one of ours, is for other facts, has expired or is from the future
 */
export async function openChallenge(
  sealingKeys: Keyring,
  facts: ChallengeFacts,
  challenge: string,
  now: number,
): Promise<OpenedChallenge | undefined> {
  const bytes = decodeBase64url(challenge);
  if (bytes?.length !== headBytes + macBytes || bytes[0] !== kinds[facts.kind]) return undefined;
  const head = bytes.slice(0, headBytes);
  const view = new DataView(head.buffer);
  const sealingKey = sealingKeys.keys.get(view.getUint32(offsets.version));
  if (sealingKey === undefined) return undefined;
  // WebCrypto compares in constant time.
  const isOurs = await crypto.subtle.verify(
    "HMAC",
    await macKeyOf(sealingKey),
    bytes.slice(headBytes),
    messageOf(head, facts),
  );
  const issuedAt =
    view.getUint16(offsets.issuedAt) * 2 ** 32 + view.getUint32(offsets.issuedAt + 2);
  const age = now - issuedAt;
  if (!isOurs || age >= challengeLifetimeMs || age < -maxClockDifferenceMs) return undefined;
  return { nonce: base64urlnopad.encode(head.subarray(offsets.nonce)), issuedAt };
}
