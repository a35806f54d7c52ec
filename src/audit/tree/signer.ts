/** Signs tree heads with the newest key, and verifies them with all keys in the ring. */
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import { type Keyring, keyOf, MissingKeyError } from "../../crypto/keyring.ts";
import { isSignedBy } from "../../crypto/signature.ts";
import { formatPublicKey, signingKeyOf } from "../../crypto/signing.ts";
import {
  formatBody,
  formatNote,
  keyHashOf,
  originOf,
  parseNote,
  type SignedHead,
  type TreeHead,
} from "./note.ts";

export interface PublicKey {
  readonly version: number;
  /** Raw Ed25519, base64. */
  readonly publicKey: string;
  /** Whether this key signs new heads. */
  readonly current: boolean;
}

export async function listPublicKeys(keys: Keyring): Promise<PublicKey[]> {
  const versions = [...keys.keys.keys()].toSorted((a, b) => b - a);
  return await Promise.all(
    versions.map(async (version) => ({
      version,
      publicKey: formatPublicKey((await signingKeyOf(keyOf(keys, version))).publicKey),
      current: version === keys.newest,
    })),
  );
}

/** @returns the signed note */
export async function signHead(keys: Keyring, head: TreeHead): Promise<string> {
  const { publicKey, sign } = await signingKeyOf(keyOf(keys, keys.newest));
  return formatNote(head, publicKey, await sign(formatBody(head)));
}

/** A head that the service signed. */
export interface VerifiedHead extends SignedHead {
  readonly note: string;
  /** The key that signed the head: raw Ed25519, base64. */
  readonly publicKey: string;
}

/**
 * Verifies that a key in the ring signed the note, for this log and size.
 * @returns the head; undefined if the note is not from this service or was altered
 * @throws MissingKeyError if a key that is not in the ring signed it
 */
export async function verifyHead(
  keys: Keyring,
  stored: { readonly tenantId: string; readonly size: number; readonly note: string },
): Promise<VerifiedHead | undefined> {
  const { tenantId, size, note } = stored;
  const head = parseNote(note);
  if (head?.origin !== originOf(tenantId) || head.size !== size) return undefined;
  const signers = await Promise.all([...keys.keys.values()].map(signingKeyOf));
  const signer = signers.find(({ publicKey }) =>
    timingSafeEqual(keyHashOf(head.origin, publicKey), head.keyHash),
  );
  if (signer === undefined) throw new MissingKeyError();
  const { publicKey } = signer;
  if (!(await isSignedBy(publicKey, head.signature, head.body))) return undefined;
  return { ...head, note, publicKey: formatPublicKey(publicKey) };
}
