/** Verifies proofs about Merkle trees (pure), RFC 9162 §2.1.3.2 and §2.1.4.2. */
import { hashEmptyTree, hashNode, isCount, isHash } from "./merkle.ts";

/** The claim that the leaf at `index` is in the tree of `size` leaves with this `root`. */
export interface Inclusion {
  /** The hash of the leaf, not its data. */
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** The claim that the tree of `to` leaves begins with the leaves of the tree of `from` leaves. */
export interface Consistency {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Verifies an inclusion proof, RFC 9162 §2.1.3.2. As in the RFC, `fn` is the node's position on its level
 * and `sn` the last position there. Returns false for malformed input; never throws.
 *
 * `size` and `root` must come from the same trusted tree head. A proof may fit several sizes, because a
 * leaf far from the right edge has the same path in all of them.
 */
export function verifyInclusion({ leaf, index, size, proof, root }: Inclusion): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (!isHash(leaf) || !isHash(root)) return false;
  let fn = index;
  let sn = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (sn === 0 || !isHash(sibling)) return false;
    if (isOdd(fn) || fn === sn) {
      hash = hashNode(sibling, hash);
      // The last node of a level may have no sibling; it moves up unchanged.
      while (fn !== 0 && !isOdd(fn)) {
        fn = halve(fn);
        sn = halve(sn);
      }
    } else {
      hash = hashNode(hash, sibling);
    }
    fn = halve(fn);
    sn = halve(sn);
  }
  return sn === 0 && isSame(hash, root);
}

/**
 * Verifies a consistency proof, RFC 9162 §2.1.4.2. As in the RFC, `fr` and `sr` become the old and the new
 * root. Two cases that the RFC leaves out need an empty proof: equal sizes have equal roots, and every tree
 * extends the empty tree. Returns false for malformed input; never throws.
 *
 * Each size and its root must come from the same trusted tree head.
 */
export function verifyConsistency({ from, to, fromRoot, toRoot, proof }: Consistency): boolean {
  if (!isCount(from) || !isCount(to) || from > to) return false;
  if (!isHash(fromRoot) || !isHash(toRoot)) return false;
  if (from === 0 && !isSame(fromRoot, hashEmptyTree())) return false;
  if (from === to) return proof.length === 0 && isSame(fromRoot, toRoot);
  if (from === 0) return proof.length === 0;
  let fn = from - 1;
  let sn = to - 1;
  while (isOdd(fn)) {
    fn = halve(fn);
    sn = halve(sn);
  }
  // `fn` is 0 if `from` is a power of two: the first node is then the old root itself.
  const [first, ...rest] = fn === 0 ? [fromRoot, ...proof] : proof;
  if (!isHash(first)) return false;
  let fr = first;
  let sr = first;
  for (const sibling of rest) {
    if (sn === 0 || !isHash(sibling)) return false;
    if (isOdd(fn) || fn === sn) {
      fr = hashNode(sibling, fr);
      sr = hashNode(sibling, sr);
      while (fn !== 0 && !isOdd(fn)) {
        fn = halve(fn);
        sn = halve(sn);
      }
    } else {
      sr = hashNode(sr, sibling);
    }
    fn = halve(fn);
    sn = halve(sn);
  }
  return sn === 0 && isSame(fr, fromRoot) && isSame(sr, toRoot);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

/** By division, because a shift would truncate the value to 32 bits. */
function halve(value: number): number {
  return Math.floor(value / 2);
}

/** Hashes are public, so the comparison need not take constant time. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, index) => byte === other[index]);
}
