/**
 * Merkle trees over a list that only grows, RFC 9162 §2.1 (the same trees as RFC 6962 §2.1):
 * hashes, which subtrees make a proof, and how a proof is verified.
 *
 * Hashes are 32 bytes. Sizes go to 2^53 − 1, so they are halved by division: JavaScript's shifts
 * would cut them to 32 bits.
 */
import { sha256Of } from "../../crypto/digest.ts";

/** Bytes of a hash. */
export const hashLength = 32;

/** Leaves `start` to `end`, without `end`, of the list. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** That the leaf at `index` is in the tree of `size` leaves that has this `root`. */
export interface Inclusion {
  /** The hash of the leaf, not its data. */
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** That the tree of `to` leaves begins with the leaves of the tree of `from`. */
export interface Consistency {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** Whether a number can be a size or an index: a whole number ≥ 0 that is exact. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Asks at run time too, because proofs come from outside. */
export function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === hashLength;
}

/** SHA-256(0x00 || data). The first byte keeps a leaf from posing as a node. */
export function hashLeaf(data: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + data.length);
  input.set(data, 1);
  return sha256Of(input);
}

/**
 * SHA-256(0x01 || left || right).
 *
 * @throws RangeError for a side that is not 32 bytes
 */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (!isHash(left) || !isHash(right)) throw new RangeError("not a hash of 32 bytes");
  const input = new Uint8Array(1 + 2 * hashLength);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + hashLength);
  return sha256Of(input);
}

/** The root of the tree without leaves, SHA-256 of nothing. */
export function hashEmptyTree(): Uint8Array {
  return sha256Of(new Uint8Array());
}

/** The largest power of two that is smaller than `size`, a whole number ≥ 2. */
export function powerOfTwoBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** A tree fed leaf by leaf. It remembers one hash per bit of its size, not the leaves. */
export class TreeHasher {
  // At h the root of the complete subtree of 2^h leaves, if the size has that bit: a binary
  // counter whose digits are hashes.
  readonly #subtrees: (Uint8Array | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * Adds one leaf by its hash, which must not be written to afterwards.
   *
   * @throws RangeError for a hash that is not 32 bytes
   */
  append(leaf: Uint8Array): void {
    if (!isHash(leaf)) throw new RangeError("not a hash of 32 bytes");
    let carry = leaf;
    let height = 0;
    for (let left = this.#subtrees[0]; left !== undefined; left = this.#subtrees[height]) {
      carry = hashNode(left, carry);
      this.#subtrees[height] = undefined;
      height += 1;
    }
    this.#subtrees[height] = carry;
    this.#size += 1;
  }

  /** The tree head of the leaves so far, RFC 9162 §2.1.1. */
  root(): Uint8Array {
    let root: Uint8Array | undefined;
    // From the right: a smaller subtree stands to the right of a larger one.
    for (const left of this.#subtrees) {
      if (left !== undefined) root = root === undefined ? left : hashNode(left, root);
    }
    return root ?? hashEmptyTree();
  }
}

/**
 * The subtrees whose hashes prove the leaf at `index` in a tree of `size`, in the order of the
 * proof: PATH of RFC 9162 §2.1.3.1. None if the leaf is the tree.
 *
 * @throws RangeError unless 0 ≤ index < size
 */
export function listInclusionRanges(index: number, size: number): LeafRange[] {
  if (!isCount(size)) throw new RangeError("size out of range");
  if (!isCount(index) || index >= size) throw new RangeError("index out of range");
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + powerOfTwoBelow(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // Found from the root down; a proof is read from the leaf up.
  return ranges.reverse();
}

/**
 * The subtrees whose hashes prove that the tree of `to` leaves extends the tree of `from`, in the
 * order of the proof: PROOF of RFC 9162 §2.1.4.1. None if both are the same or the old one is empty.
 *
 * @throws RangeError unless 0 ≤ from ≤ to
 */
export function listConsistencyRanges(from: number, to: number): LeafRange[] {
  if (!isCount(to)) throw new RangeError("size out of range");
  if (!isCount(from) || from > to) throw new RangeError("old size out of range");
  if (from === 0 || from === to) return [];
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = to;
  while (from < end) {
    const middle = start + powerOfTwoBelow(end - start);
    if (from <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // If what is left is the whole old tree, its root is known to who asks.
  if (start > 0) ranges.push({ start, end });
  return ranges.reverse();
}

/**
 * RFC 9162 §2.1.3.2, with its names: `fn` is the node's place on its level, `sn` the last place.
 * False for anything malformed; never throws.
 *
 * `size` must come with `root` from a trusted tree head: a proof may fit several sizes, because a
 * leaf far from the right edge has the same path in them.
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
      // A last node without a sibling moves up as it is.
      while (fn !== 0 && !isOdd(fn)) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      hash = hashNode(hash, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && isSame(hash, root);
}

/**
 * RFC 9162 §2.1.4.2, with its names (`fr` and `sr` become the old and the new root), and the cases
 * that the RFC leaves out: equal sizes have equal roots, and any tree extends the empty one; both
 * with an empty proof. False for anything malformed; never throws. As for `verifyInclusion`, the
 * sizes must come with their roots.
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
    fn = half(fn);
    sn = half(sn);
  }
  // Zero if `from` is a power of two: the old tree is then itself the node to begin with.
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
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = hashNode(sr, sibling);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && isSame(fr, fromRoot) && isSame(sr, toRoot);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}

/** Hashes are public, so the time this takes tells nothing. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, at) => byte === other[at]);
}
