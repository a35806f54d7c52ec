import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  hashEmptyTree,
  hashNode,
  type LeafRange,
  listConsistencyRanges,
  listInclusionRanges,
  TreeHasher,
} from "../../../src/audit/tree/merkle.ts";
import {
  appendLeaves,
  isFull,
  listEdgeTiles,
  listTiles,
  MissingTileError,
  type Tile,
  type TileId,
  TileSet,
  tileWidth,
} from "../../../src/audit/tree/tiles.ts";
import {
  formatUnfinishedTiles,
  parseUnfinishedTiles,
} from "../../../src/audit/tree/unfinished-tiles.ts";
import { verifyConsistency, verifyInclusion } from "../../../src/audit/tree/verify-proof.ts";
import { toHex } from "../../../src/crypto/bytes.ts";
import { strideOf } from "../../support/campaign.ts";

// Leaf hashes are plain numbers here, because the tree does not depend on their content.
const leaves = Array.from({ length: 65_540 }, (_, index) => {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setUint32(28, index);
  return hash;
});

function leafAt(index: number): Uint8Array {
  return leaves[index] ?? hashEmptyTree();
}

const cache = new Map<string, Uint8Array>();

/** Computes the hash of a subtree as RFC 9162 §2.1.1 defines it. */
function hashRange({ start, end }: LeafRange): Uint8Array {
  if (start === end) return hashEmptyTree();
  if (end - start === 1) return leafAt(start);
  const middle = start + 2 ** (Math.ceil(Math.log2(end - start)) - 1);
  const known = cache.get(`${start}-${end}`);
  const hash =
    known ?? hashNode(hashRange({ start, end: middle }), hashRange({ start: middle, end }));
  cache.set(`${start}-${end}`, hash);
  return hash;
}

/** Stores tiles as the database does: full ones by level and index, the unfinished ones as one text. */
class Rows {
  readonly #full = new Map<string, Tile>();
  #unfinished = "[]";
  size = 0;

  read(ids: readonly TileId[]): Tile[] {
    const unfinished = parseUnfinishedTiles(this.#unfinished, this.size);
    return ids.flatMap(
      ({ level, index }) =>
        unfinished.find((tile) => tile.level === level && tile.index === index) ??
        this.#full.get(`${level}/${index}`) ??
        [],
    );
  }

  append(count: number) {
    const edge = this.read(listEdgeTiles(this.size));
    const result = appendLeaves(edge, this.size, leaves.slice(this.size, this.size + count));
    for (const tile of result.changed.filter(isFull)) {
      this.#full.set(`${tile.level}/${tile.index}`, tile);
    }
    this.#unfinished = formatUnfinishedTiles([...edge, ...result.changed], result.size);
    this.size = result.size;
    return result;
  }

  /** Computes the hashes from only the tiles that `listTiles` names. */
  hashesOf(ranges: readonly LeafRange[]): Uint8Array[] {
    const tiles = new TileSet(this.read(listTiles(ranges, this.size)));
    return ranges.map((range) => tiles.hashOf(range));
  }
}

function createRows(...batches: number[]): Rows {
  const rows = new Rows();
  for (const batch of batches) rows.append(batch);
  return rows;
}

function describeTiles(tiles: readonly Tile[]): string[] {
  return tiles.map(({ level, index, hashes }) => `${level}/${index}: ${hashes.length / 32}`);
}

const batches = fc.array(fc.nat(700), { minLength: 1, maxLength: 4 });

test("appending in batches gives the root and the proofs of the definition", () => {
  fc.assert(
    fc.property(batches, fc.maxSafeNat(), fc.maxSafeNat(), (counts, one, other) => {
      const rows = new Rows();
      for (const count of counts) {
        const { size, root } = rows.append(count);
        expect(root).toEqual(hashRange({ start: 0, end: size }));
        expect(new TileSet(rows.read(listEdgeTiles(size))).rootOf(size)).toEqual(root);
      }
      // Proofs for an older size come from tiles that have grown since.
      const size = one % (rows.size + 1);
      for (const ranges of [
        listInclusionRanges(other % Math.max(size, 1), Math.max(size, 1)),
        listConsistencyRanges(other % (size + 1), size),
        size === 0 ? [] : [{ start: 0, end: size }],
      ]) {
        if (rows.size > 0) expect(rows.hashesOf(ranges)).toEqual(ranges.map(hashRange));
      }
    }),
    { numRuns: 40 },
  );
});

test("unfinished tiles are read only with the size of their tree, and only as they were written", () => {
  fc.assert(
    fc.property(fc.nat(66_000), fc.nat(66_000), fc.nat(), (size, other, where) => {
      const { changed } = appendLeaves([], 0, leaves.slice(0, Math.min(size, leaves.length)));
      const count = Math.min(size, leaves.length);
      const text = formatUnfinishedTiles(changed, count);
      const tiles = parseUnfinishedTiles(text, count);
      expect(new TileSet(tiles).rootOf(count)).toEqual(new TileSet(changed).rootOf(count));
      expect(tiles.some(isFull)).toBe(false);
      if (other !== count) expect(parseUnfinishedTiles(text, other)).toEqual([]);
      const position = where % text.length;
      const altered = `${text.slice(0, position)}!${text.slice(position + 1)}`;
      expect(parseUnfinishedTiles(altered, count)).toEqual([]);
    }),
    {
      numRuns: 20 / strideOf(2),
      examples: [
        [0, 1, 0],
        [256, 1, 0],
        [300, 557, 9],
        [65_536, 256, 3],
      ],
    },
  );
});

test("every size up to 300 has the right root, also when it is read from the newest tiles", () => {
  const rows = new Rows();
  const hasher = new TreeHasher();
  const roots = [hasher.root()];
  for (let size = 1; size <= 300; size += 1) {
    hasher.append(leafAt(size - 1));
    roots.push(hasher.root());
    expect(rows.append(1).root).toEqual(hasher.root());
  }
  const all = rows.read([...listLeafTiles(300), { level: 1, index: 0 }]);
  for (const [size, root] of roots.entries()) expect(new TileSet(all).rootOf(size)).toEqual(root);
});

function listLeafTiles(size: number): TileId[] {
  return Array.from({ length: Math.ceil(size / tileWidth) }, (_, index) => ({ level: 0, index }));
}

describe("at the edges of tiles", () => {
  test.each([
    [0, []],
    [1, ["0/0: 1"]],
    [255, ["0/0: 255"]],
    [256, ["1/0: 1"]],
    [257, ["1/0: 1", "0/1: 1"]],
  ])("%d leaves need only their partial tiles for the root", (size, partial) => {
    const rows = createRows(size);
    const edge = rows.read(listEdgeTiles(size));
    expect(listEdgeTiles(size)).toHaveLength(partial.length);
    expect(describeTiles(edge)).toEqual(partial);
    expect(new TileSet(edge).rootOf(size)).toEqual(hashRange({ start: 0, end: size }));
  });

  test("an append returns each changed tile once, with all its hashes", () => {
    const rows = createRows(250);
    expect(describeTiles(rows.append(5).changed)).toEqual(["0/0: 255"]);
    expect(describeTiles(rows.append(1).changed)).toEqual(["0/0: 256", "1/0: 1"]);
    expect(describeTiles(rows.append(1).changed)).toEqual(["0/1: 1"]);
    expect(rows.append(0).changed).toEqual([]);
    expect(describeTiles(rows.append(600).changed)).toEqual([
      "0/1: 256",
      "0/2: 256",
      "0/3: 89",
      "1/0: 3",
    ]);
  });

  test("the third level begins with leaf 65,536, and older sizes stay provable", () => {
    const rows = createRows(65_535);
    expect(describeTiles(rows.read(listEdgeTiles(65_535)))).toEqual(["1/0: 255", "0/255: 255"]);
    expect(describeTiles(rows.append(1).changed)).toEqual(["0/255: 256", "1/0: 256", "2/0: 1"]);
    expect(describeTiles(rows.read(listEdgeTiles(65_536)))).toEqual(["2/0: 1"]);
    expect(describeTiles(rows.append(1).changed)).toEqual(["0/256: 1"]);
    expect(describeTiles(rows.read(listEdgeTiles(65_537)))).toEqual(["2/0: 1", "0/256: 1"]);
    const to = 65_537;
    for (const from of [1, 255, 256, 257, 40_000, 65_535, 65_536, to]) {
      const [fromRoot = hashEmptyTree(), toRoot = hashEmptyTree()] = rows.hashesOf([
        { start: 0, end: from },
        { start: 0, end: to },
      ]);
      expect(fromRoot).toEqual(hashRange({ start: 0, end: from }));
      expect(toRoot).toEqual(hashRange({ start: 0, end: to }));
      const proof = rows.hashesOf(listConsistencyRanges(from, to));
      expect(verifyConsistency({ from, to, fromRoot, toRoot, proof })).toBe(true);
      const claim = { leaf: leafAt(from - 1), index: from - 1 };
      const old = { size: from, proof: rows.hashesOf(listInclusionRanges(from - 1, from)) };
      expect(verifyInclusion({ ...claim, ...old, root: fromRoot })).toBe(true);
      const current = { size: to, proof: rows.hashesOf(listInclusionRanges(from - 1, to)) };
      expect(verifyInclusion({ ...claim, ...current, root: toRoot })).toBe(true);
    }
  });

  test("a proof reads few tiles of a large tree, and each only once", () => {
    const size = 2 ** 48 - 1;
    const ranges = [...listInclusionRanges(2 ** 40 + 12_345, size), { start: 0, end: size }];
    const ids = listTiles(ranges, size);
    expect(ids.length).toBeLessThanOrEqual(12);
    expect(new Set(ids.map(({ level, index }) => `${level}/${index}`)).size).toBe(ids.length);
  });
});

test("leaves of a tree beyond 32 bits can be proved", () => {
  // All leaves are equal, so all tiles of a level are, and each level needs only one row.
  const rows: Uint8Array[] = [];
  let node = leafAt(1);
  for (let level = 0; level <= 6; level += 1) {
    const row = new Uint8Array(tileWidth * 32);
    for (let at = 0; at < row.length; at += 32) row.set(node, at);
    rows.push(row);
    for (let height = 0; height < 8; height += 1) node = hashNode(node, node);
  }
  for (const size of [2 ** 33 + 5, 2 ** 48 - 77, 2 ** 48]) {
    for (const index of [3, 2 ** 32 + 1, size - 1]) {
      const ranges = listInclusionRanges(index, size);
      const ids = listTiles([...ranges, { start: 0, end: size }], size);
      const tiles = new TileSet(
        ids.map((id) => ({ ...id, hashes: rows[id.level] ?? new Uint8Array() })),
      );
      const proof = ranges.map((range) => tiles.hashOf(range));
      const claim = { leaf: leafAt(1), index, size, proof, root: tiles.rootOf(size) };
      expect(verifyInclusion(claim)).toBe(true);
    }
  }
});

test("an error names the tile that is missing or too short", () => {
  const rows = createRows(600);
  const tiles = rows.read([...listLeafTiles(600), { level: 1, index: 0 }]);
  for (const { level, index } of listEdgeTiles(600)) {
    const rest = tiles.filter((tile) => tile.level !== level || tile.index !== index);
    const missing = new MissingTileError({ level, index });
    expect(() => new TileSet(rest).rootOf(600)).toThrow(missing);
    expect(() => appendLeaves(rest, 600, [leafAt(600)])).toThrow(missing);
    expect(() => appendLeaves(rest, 600, [])).toThrow(missing);
    const cut = tiles
      .filter((tile) => tile.level === level && tile.index === index)
      .map((tile) => ({ ...tile, hashes: tile.hashes.slice(32) }));
    expect(() => new TileSet([...rest, ...cut]).rootOf(600)).toThrow(missing);
    expect(() => appendLeaves([...rest, ...cut], 600, [leafAt(600)])).toThrow(missing);
  }
  expect(() => new TileSet([]).hashOf({ start: 4, end: 5 })).toThrow(MissingTileError);
  expect(new TileSet([]).rootOf(0)).toEqual(hashEmptyTree());
});

test("an append does not change its input, and ignores hashes beyond the size", () => {
  const before = createRows(300).read(listEdgeTiles(300));
  const copy = structuredClone(before);
  const whole = appendLeaves(before, 300, leaves.slice(300, 310));
  expect(before).toEqual(copy);
  // An append whose new size was never recorded has written these tiles.
  const longer = [...before, ...appendLeaves(before, 300, leaves.slice(900, 990)).changed];
  expect(appendLeaves(longer, 300, leaves.slice(300, 310))).toEqual(whole);
  expect(toHex(whole.root)).toBe(toHex(hashRange({ start: 0, end: 310 })));
});

test("ranges that are not subtrees, sizes out of range and hashes of another length are rejected", () => {
  const tile = { level: 0, index: 0, hashes: new Uint8Array(32) };
  for (const [start, end] of [
    [3, 3],
    [2, 1],
    [1, 3],
    [4, 9],
    [-1, 0],
    [0.5, 1],
    [0, Number.NaN],
  ] as const) {
    expect(() => listTiles([{ start, end }], 9)).toThrow(RangeError);
    expect(() => new TileSet([tile]).hashOf({ start, end })).toThrow(RangeError);
  }
  expect(() => listTiles([{ start: 0, end: 4 }], 3)).toThrow(
    new RangeError("range beyond the tree"),
  );
  expect(() => listEdgeTiles(-1)).toThrow(RangeError);
  expect(() => appendLeaves([], 0.5, [])).toThrow(new RangeError("size out of range"));
  expect(() => appendLeaves([], 0, [new Uint8Array(31)])).toThrow(RangeError);
  for (const length of [0, 31, 33, 257 * 32]) {
    expect(() => new TileSet([{ ...tile, hashes: new Uint8Array(length) }])).toThrow(RangeError);
  }
});
