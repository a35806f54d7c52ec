/**
 * Merkle trees over a list that only grows (pure), RFC 9162 §2.1: hashes, and the subtrees that prove
 * something. The trees are the same as in RFC 6962 §2.1. To verify a proof, see verify-proof.ts.
 *
 * Hashes are 32 bytes. Sizes go to 2^53 − 1.
 */
import { sha256Of } from "../../crypto/digest.ts";

/** In bytes. */
export const hashLength = 32;

/** The leaves from `start` to `end`, exclusive. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** Whether a number can be a size or an index: an integer from 0 to 2^53 − 1. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Checked at run time too, because proofs come from outside. */
export function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === hashLength;
}

/** SHA-256(0x00 || data). The first byte distinguishes a leaf from a node. */
export function hashLeaf(data: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + data.length);
  input.set(data, 1);
  return sha256Of(input);
}

/** SHA-256(0x01 || left || right). @throws RangeError for a side that is not 32 bytes */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (!isHash(left) || !isHash(right)) throw new RangeError("not a hash of 32 bytes");
  const input = new Uint8Array(1 + 2 * hashLength);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + hashLength);
  return sha256Of(input);
}

/** The root of the tree without leaves: SHA-256 of the empty string. */
export function hashEmptyTree(): Uint8Array {
  return sha256Of(new Uint8Array());
}

/** The largest power of two below `size`, an integer ≥ 2. */
export function findPowerOfTwoBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** Computes a root leaf by leaf. Keeps one hash per bit of the size, not the leaves. */
export class TreeHasher {
  // Entry h is the root of a complete subtree of 2^h leaves, if bit h of the size is 1; otherwise undefined.
  readonly #subtrees: (Uint8Array | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /**
   * @param leaf the hash of the leaf; the caller must not change it afterwards
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

  /** The root over the leaves so far, RFC 9162 §2.1.1. */
  root(): Uint8Array {
    let root: Uint8Array | undefined;
    // From right to left: a smaller subtree is to the right of a larger one.
    for (const left of this.#subtrees) {
      if (left !== undefined) root = root === undefined ? left : hashNode(left, root);
    }
    return root ?? hashEmptyTree();
  }
}

/**
 * Lists the subtrees whose hashes prove that the leaf at `index` is in a tree of `size`, in the order of
 * the proof: PATH of RFC 9162 §2.1.3.1. Empty for a tree of one leaf.
 * @throws RangeError unless 0 ≤ index < size
 */
export function listInclusionRanges(index: number, size: number): LeafRange[] {
  if (!isCount(size)) throw new RangeError("size out of range");
  if (!isCount(index) || index >= size) throw new RangeError("index out of range");
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + findPowerOfTwoBelow(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // The loop goes from the root down; a proof goes from the leaf up.
  return ranges.reverse();
}

/**
 * Lists the subtrees whose hashes prove that the tree of `to` leaves extends the tree of `from` leaves, in
 * the order of the proof: PROOF of RFC 9162 §2.1.4.1. Empty if the sizes are equal or the old tree is empty.
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
    const middle = start + findPowerOfTwoBelow(end - start);
    if (from <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // Leaves 0 to `end` are the whole old tree, whose root the verifier has.
  if (start > 0) ranges.push({ start, end });
  return ranges.reverse();
}
