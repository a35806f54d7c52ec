/** The keys that sign heads: the newest signs, the older ones are known for what they signed. */
import { timingSafeEqual } from "../../crypto/constant-time.ts";
import { type Keyring, keyOf, MissingKeyError } from "../../crypto/keyring.ts";
import { isSignedBy, formatPublicKey, signingKeyOf } from "../../crypto/signing.ts";
import {
  formatBody,
  keyHashOf,
  formatNote,
  originOf,
  parseNote,
  type SignedHead,
  type TreeHead,
} from "./note.ts";

export interface PublicKey {
  readonly version: number;
  /** Raw Ed25519, base64. */
  readonly publicKey: string;
  /** The one that signs now. */
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

/** A head as a signed note. */
export async function signHead(keys: Keyring, head: TreeHead): Promise<string> {
  const { publicKey, sign } = await signingKeyOf(keyOf(keys, keys.newest));
  return formatNote(head, publicKey, await sign(formatBody(head)));
}

/** A head that the service signed. */
export interface VerifiedHead extends SignedHead {
  readonly note: string;
  /** The key that signed it: raw Ed25519, base64. */
  readonly publicKey: string;
}

/**
 * The head of a stored note, if a key of ours, present or past, signed it for this log and size;
 * undefined where somebody else has written it.
 * @throws MissingKeyError where it is signed by a key that is not in the ring
 */
export async function verifyHead(
  keys: Keyring,
  stored: { readonly tenantId: string; readonly size: number; readonly note: string },
): Promise<VerifiedHead | undefined> {
  const { tenantId, size, note } = stored;
  const head = parseNote(note);
  if (head?.origin !== originOf(tenantId) || head.size !== size) return undefined;
  const known = await Promise.all([...keys.keys.values()].map(signingKeyOf));
  const signer = known.find(({ publicKey }) =>
    timingSafeEqual(keyHashOf(head.origin, publicKey), head.keyHash),
  );
  if (signer === undefined) throw new MissingKeyError();
  const { publicKey } = signer;
  if (!(await isSignedBy(publicKey, head.signature, head.body))) return undefined;
  return { ...head, note, publicKey: formatPublicKey(publicKey) };
}
