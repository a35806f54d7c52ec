/**
 * The key that signs step-up tokens (pure). The newest version of the keyring is only announced, and the one before it
 * signs: every verifier has had a key for as long as the rotation before, when the first token under it arrives. With a
 * single version, that one signs.
 */
import type { Keyring } from "../crypto/keyring.ts";

/** The versions of a keyring, the newest first. */
export function listVersions({ keys }: Keyring): number[] {
  return [...keys.keys()].toSorted((left, right) => right - left);
}

export function signingVersionOf(ring: Keyring): number {
  const [newest = ring.newest, signing = newest] = listVersions(ring);
  return signing;
}
