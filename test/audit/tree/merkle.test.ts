import { concatBytes } from "@noble/hashes/utils.js";
import { hex } from "@scure/base";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hashEmptyTree,
  hashLeaf,
  hashNode,
  type LeafRange,
  listConsistencyRanges,
  listInclusionRanges,
  TreeHasher,
} from "../../../src/audit/tree/merkle.ts";
import { verifyConsistency, verifyInclusion } from "../../../src/audit/tree/verify-proof.ts";
import { encodeUtf8, toHex } from "../../../src/crypto/bytes.ts";
import { sha256Of } from "../../../src/crypto/digest.ts";
import vectors from "../../vectors/rfc6962.json";

/** Computed hashes by their first leaf and their number of leaves, because every list here is a part of one. */
const known = new Map<Uint8Array, Map<number, Uint8Array>>();

// MTH, PATH and SUBPROOF as RFC 9162 §2.1 writes them, over the leaves' data.
function mth(d: readonly Uint8Array[]): Uint8Array {
  const [first] = d;
  if (first === undefined) return sha256Of("");
  const ofFirst = known.get(first) ?? new Map<number, Uint8Array>();
  known.set(first, ofFirst);
  const hash = ofFirst.get(d.length) ?? computeMth(d, first);
  ofFirst.set(d.length, hash);
  return hash;
}

function computeMth(d: readonly Uint8Array[], first: Uint8Array): Uint8Array {
  if (d.length === 1) return sha256Of(concatBytes(Uint8Array.of(0), first));
  const k = split(d.length);
  return sha256Of(concatBytes(Uint8Array.of(1), mth(d.slice(0, k)), mth(d.slice(k))));
}

function path(m: number, d: readonly Uint8Array[]): Uint8Array[] {
  if (d.length === 1) return [];
  const k = split(d.length);
  return m < k
    ? [...path(m, d.slice(0, k)), mth(d.slice(k))]
    : [...path(m - k, d.slice(k)), mth(d.slice(0, k))];
}

function subproof(m: number, d: readonly Uint8Array[], b: boolean): Uint8Array[] {
  if (m === d.length) return b ? [] : [mth(d)];
  const k = split(d.length);
  return m <= k
    ? [...subproof(m, d.slice(0, k), b), mth(d.slice(k))]
    : [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))];
}

function split(n: number): number {
  return 2 ** (Math.ceil(Math.log2(n)) - 1);
}

const data = Array.from({ length: 2000 }, (_, index) => encodeUtf8(`leaf ${index}`));

function rootOf(size: number): Uint8Array {
  return mth(data.slice(0, size));
}

function hashesOf(ranges: readonly LeafRange[]): Uint8Array[] {
  return ranges.map(({ start, end }) => mth(data.slice(start, end)));
}

function flipBit(hash: Uint8Array, bit: number): Uint8Array {
  return hash.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

/** Returns variants of the proof with one element changed in a bit, dropped, duplicated, added or swapped. */
function spoilProof(proof: readonly Uint8Array[], bit: number): Uint8Array[][] {
  const extra = hashLeaf(encodeUtf8("extra"));
  const altered = [
    [extra, ...proof],
    [...proof, extra],
  ];
  for (const [at, hash] of proof.entries()) {
    const next = proof[at + 1];
    altered.push(proof.toSpliced(at, 1), proof.toSpliced(at, 0, hash));
    altered.push(proof.with(at, flipBit(hash, bit)), proof.with(at, hash.subarray(1)));
    altered.push(proof.with(at, Uint8Array.of(...hash, 0)));
    if (next !== undefined) altered.push(proof.toSpliced(at, 2, next, hash));
  }
  return altered;
}

const sizes = fc.integer({ min: 1, max: data.length });
const bits = fc.nat(255);
const leafAndSize = sizes.chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size)));
const oldAndNew = sizes.chain((to) => fc.tuple(fc.nat(to), fc.constant(to)));

describe("the published test data of Certificate Transparency", () => {
  const leaves = vectors.leaves.map((leaf) => hex.decode(leaf));
  const roots = [vectors.empty_root, ...vectors.roots].map((root) => hex.decode(root));
  const rootAt = (size: number) => roots[size] ?? hashEmptyTree();

  test("has eight leaves and nine roots", () => {
    expect(leaves).toHaveLength(8);
    expect(roots).toHaveLength(9);
  });

  test.each(roots.map((root, size) => ({ size, root: toHex(root) })))(
    "gives the root of $size leaves",
    ({ size, root }) => {
      const tree = new TreeHasher();
      for (const leaf of leaves.slice(0, size)) tree.append(hashLeaf(leaf));
      expect(tree.size).toBe(size);
      expect(toHex(tree.root())).toBe(root);
      expect(toHex(mth(leaves.slice(0, size)))).toBe(root);
    },
  );

  test.each(vectors.inclusion)("proves leaf $index of $size", ({ index, size, proof }) => {
    const ranges = listInclusionRanges(index, size);
    const hashes = ranges.map(({ start, end }) => mth(leaves.slice(start, end)));
    expect(hashes.map(toHex)).toEqual(proof);
    const claim = { leaf: hashLeaf(leaves[index] ?? encodeUtf8("none")), index, size };
    expect(verifyInclusion({ ...claim, proof: hashes, root: rootAt(size) })).toBe(true);
  });

  test.each(vectors.consistency)("proves that $to leaves extend $from", ({ from, to, proof }) => {
    const ranges = listConsistencyRanges(from, to);
    const hashes = ranges.map(({ start, end }) => mth(leaves.slice(start, end)));
    expect(hashes.map(toHex)).toEqual(proof);
    const claim = { from, to, fromRoot: rootAt(from), toRoot: rootAt(to) };
    expect(verifyConsistency({ ...claim, proof: hashes })).toBe(true);
  });

  test("detects every changed bit of a proof", () => {
    const proof = vectors.inclusion[2]?.proof.map((hash) => hex.decode(hash)) ?? [];
    const claim = { leaf: hashLeaf(hex.decode("40414243")), index: 5, size: 8, root: rootAt(8) };
    expect(verifyInclusion({ ...claim, proof })).toBe(true);
    for (const [at, hash] of proof.entries()) {
      for (let bit = 0; bit < 256; bit += 1) {
        const changed = proof.with(at, flipBit(hash, bit));
        expect(verifyInclusion({ ...claim, proof: changed })).toBe(false);
      }
    }
  });
});

test("a streamed tree has the root of the definition at every size", () => {
  const tree = new TreeHasher();
  for (const [index, leaf] of data.slice(0, 130).entries()) {
    expect(tree.root()).toEqual(rootOf(index));
    tree.append(hashLeaf(leaf));
  }
  for (const leaf of data.slice(130)) tree.append(hashLeaf(leaf));
  expect(tree.root()).toEqual(rootOf(data.length));
});

test("an inclusion proof equals that of the RFC, and no other proof verifies", () => {
  fc.assert(
    fc.property(leafAndSize, bits, sizes, ([index, size], bit, other) => {
      const proof = hashesOf(listInclusionRanges(index, size));
      expect(proof).toEqual(path(index, data.slice(0, size)));
      const leaf = hashLeaf(data[index] ?? encodeUtf8("none"));
      const claim = { leaf, index, size, proof, root: rootOf(size) };
      expect(verifyInclusion(claim)).toBe(true);
      for (const altered of spoilProof(proof, bit)) {
        expect(verifyInclusion({ ...claim, proof: altered })).toBe(false);
      }
      expect(verifyInclusion({ ...claim, leaf: flipBit(leaf, bit) })).toBe(false);
      expect(verifyInclusion({ ...claim, root: flipBit(claim.root, bit) })).toBe(false);
      if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
      // Another size fits only if the leaf has its siblings on the same sides.
      const sidesOf = (n: number) =>
        listInclusionRanges(index, n).map(({ start }) => start > index);
      const fits = other > index && String(sidesOf(other)) === String(sidesOf(size));
      expect(verifyInclusion({ ...claim, size: other })).toBe(fits);
    }),
    { numRuns: 25 },
  );
});

test("a consistency proof equals that of the RFC, and no other proof verifies", () => {
  fc.assert(
    fc.property(oldAndNew, bits, sizes, ([from, to], bit, other) => {
      const proof = hashesOf(listConsistencyRanges(from, to));
      expect(proof).toEqual(from === 0 ? [] : subproof(from, data.slice(0, to), true));
      const claim = { from, to, fromRoot: rootOf(from), toRoot: rootOf(to), proof };
      expect(verifyConsistency(claim)).toBe(true);
      for (const altered of spoilProof(proof, bit)) {
        expect(verifyConsistency({ ...claim, proof: altered })).toBe(false);
      }
      expect(verifyConsistency({ ...claim, fromRoot: flipBit(claim.fromRoot, bit) })).toBe(false);
      // Every tree extends the empty tree, whatever its root is.
      const changed = { ...claim, toRoot: flipBit(claim.toRoot, bit) };
      expect(verifyConsistency(changed)).toBe(from === 0);
      if (other !== from) expect(verifyConsistency({ ...claim, from: other })).toBe(false);
      const sidesOf = (n: number) => listConsistencyRanges(from, n).map(({ end }) => end > from);
      const sameSides = other > from && to > from && String(sidesOf(other)) === String(sidesOf(to));
      expect(verifyConsistency({ ...claim, to: other })).toBe(other === to || sameSides);
    }),
    { numRuns: 25 },
  );
});

describe("trees beyond 32 bits", () => {
  // All leaves are equal, so the hash of a subtree depends only on its width.
  const cache = new Map([[1, hashLeaf(encodeUtf8("same"))]]);
  function hashOfWidth(width: number): Uint8Array {
    const left = 2 ** (Math.ceil(Math.log2(width)) - 1);
    const hash = cache.get(width) ?? hashNode(hashOfWidth(left), hashOfWidth(width - left));
    cache.set(width, hash);
    return hash;
  }
  const proofOf = (ranges: LeafRange[]) => ranges.map(({ start, end }) => hashOfWidth(end - start));

  test.each([2 ** 31 + 1, 2 ** 32, 2 ** 40 + 3, 2 ** 47 + 2 ** 31 + 5, 2 ** 48])(
    "prove leaves and older sizes at %d",
    (size) => {
      for (const index of [0, 7, 2 ** 31 - 1, 2 ** 31, size - 2, size - 1]) {
        const proof = proofOf(listInclusionRanges(index, size));
        const claim = { leaf: hashOfWidth(1), index, size, proof, root: hashOfWidth(size) };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, proof: proof.slice(1) })).toBe(false);
      }
      for (const from of [1, 1000, 2 ** 31 - 1, 2 ** 31, size - 1]) {
        const proof = proofOf(listConsistencyRanges(from, size));
        const claim = {
          from,
          to: size,
          fromRoot: hashOfWidth(from),
          toRoot: hashOfWidth(size),
          proof,
        };
        expect(verifyConsistency(claim)).toBe(true);
        expect(verifyConsistency({ ...claim, proof: proof.slice(1) })).toBe(false);
      }
    },
  );
});

test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
  "the size or index %d is rejected",
  (wrong) => {
    const root = hashEmptyTree();
    expect(() => listInclusionRanges(0, wrong)).toThrow(new RangeError("size out of range"));
    expect(() => listInclusionRanges(wrong, 9)).toThrow(new RangeError("index out of range"));
    expect(() => listConsistencyRanges(0, wrong)).toThrow(new RangeError("size out of range"));
    expect(() => listConsistencyRanges(wrong, 9)).toThrow(new RangeError("old size out of range"));
    const inclusion = { leaf: root, proof: [], root };
    expect(verifyInclusion({ ...inclusion, index: wrong, size: 1 })).toBe(false);
    expect(verifyInclusion({ ...inclusion, index: 0, size: wrong })).toBe(false);
    const consistency = { fromRoot: root, toRoot: root, proof: [] };
    expect(verifyConsistency({ ...consistency, from: wrong, to: 1 })).toBe(false);
    expect(verifyConsistency({ ...consistency, from: 0, to: wrong })).toBe(false);
  },
);

test("an index or an old size beyond the tree and hashes of another length are rejected", () => {
  const short = new Uint8Array(31);
  const root = hashEmptyTree();
  expect(() => listInclusionRanges(9, 9)).toThrow(RangeError);
  expect(() => listInclusionRanges(0, 0)).toThrow(RangeError);
  expect(() => listConsistencyRanges(10, 9)).toThrow(RangeError);
  expect(() => new TreeHasher().append(short)).toThrow(RangeError);
  expect(() => hashNode(root, short)).toThrow(RangeError);
  const inclusion = { leaf: root, index: 0, size: 1, proof: [], root };
  expect(verifyInclusion(inclusion)).toBe(true);
  expect(verifyInclusion({ ...inclusion, index: 1 })).toBe(false);
  expect(verifyInclusion({ ...inclusion, leaf: short, root: short })).toBe(false);
  const consistency = { from: 1, to: 1, fromRoot: root, toRoot: root, proof: [] };
  expect(verifyConsistency(consistency)).toBe(true);
  expect(verifyConsistency({ ...consistency, fromRoot: short, toRoot: short })).toBe(false);
});

test("a proof verifies neither for a smaller tree nor for a tree that shrank", () => {
  const path = hashesOf(listInclusionRanges(3, 4));
  const inclusion = { leaf: hashLeaf(encodeUtf8("leaf 3")), proof: path, root: rootOf(4) };
  expect(verifyInclusion({ ...inclusion, index: 3, size: 4 })).toBe(true);
  expect(verifyInclusion({ ...inclusion, index: 0, size: 1 })).toBe(false);
  const proof = hashesOf(listConsistencyRanges(7, 8));
  const consistency = { fromRoot: rootOf(7), toRoot: rootOf(8), proof };
  expect(verifyConsistency({ ...consistency, from: 7, to: 8 })).toBe(true);
  expect(verifyConsistency({ ...consistency, from: 3, to: 4 })).toBe(false);
  const [one, two] = [hashLeaf(encodeUtf8("leaf 0")), hashLeaf(encodeUtf8("leaf 1"))];
  const shrunk = { from: 3, to: 2, fromRoot: one, toRoot: rootOf(2), proof: [one, two] };
  expect(verifyConsistency(shrunk)).toBe(false);
});

test("the empty tree has no root but its own", () => {
  const other = hashLeaf(encodeUtf8("other"));
  const claim = { from: 0, to: 5, fromRoot: hashEmptyTree(), toRoot: other, proof: [] };
  expect(verifyConsistency(claim)).toBe(true);
  expect(verifyConsistency({ ...claim, fromRoot: other })).toBe(false);
  expect(verifyConsistency({ ...claim, to: 0, fromRoot: other })).toBe(false);
});
