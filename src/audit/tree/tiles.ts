/**
 * A Merkle tree stored in tiles of 256 hashes (pure), as in C2SP tlog-tiles with height 8.
 *
 * Tile (level L, index i) holds the nodes of tree level 8·L from position 256·i on. Each node is the root
 * of 256^L leaves. Only complete nodes are stored, and they never change: a tile grows until it holds 256
 * hashes and is then final. So the tiles of a tree also serve every smaller size.
 */
import {
  findPowerOfTwoBelow,
  hashEmptyTree,
  hashLength,
  hashNode,
  isCount,
  isHash,
  type LeafRange,
} from "./merkle.ts";

/** Hashes in a full tile. */
export const tileWidth = 256;

export interface TileId {
  readonly level: number;
  readonly index: number;
}

export interface Tile extends TileId {
  /** 1 to 256 hashes of 32 bytes, one after the other. */
  readonly hashes: Uint8Array;
}

export function isFull({ hashes }: Tile): boolean {
  return hashes.length === tileWidth * hashLength;
}

export interface AppendResult {
  readonly size: number;
  readonly root: Uint8Array;
  /** The tiles to write, each with all its hashes, lower levels first. */
  readonly changed: Tile[];
}

/** A tile does not exist or holds too few hashes. */
export class MissingTileError extends Error {
  readonly tile: TileId;

  constructor({ level, index }: TileId) {
    super(`Tile ${index} of level ${level} is missing or too short`);
    this.name = "MissingTileError";
    this.tile = { level, index };
  }
}

/** `count` hashes of a tile from position `first` on: the nodes of one complete subtree. */
interface Slice extends TileId {
  readonly first: number;
  /** A power of two, 1 to 128. */
  readonly count: number;
}

/** The slice that the hash of a complete subtree is computed from. @param width leaves, a power of two */
function sliceOf(start: number, width: number): Slice {
  let level = 0;
  let leaves = 1;
  while (leaves * tileWidth <= width) {
    level += 1;
    leaves *= tileWidth;
  }
  const position = start / leaves;
  const index = Math.floor(position / tileWidth);
  return { level, index, first: position - index * tileWidth, count: width / leaves };
}

/**
 * Splits a subtree into complete subtrees, left to right. Each is the largest that still fits, so there is
 * one for every bit of the width.
 * @throws RangeError for a range that is empty or not a subtree
 */
function splitIntoSlices({ start, end }: LeafRange): Slice[] {
  if (!isCount(start) || !isCount(end) || start >= end) throw new RangeError("range out of range");
  const cover = end - start === 1 ? 1 : 2 * findPowerOfTwoBelow(end - start);
  if (start % cover !== 0) throw new RangeError("range is not a subtree");
  const slices: Slice[] = [];
  for (let next = start; next < end; ) {
    const width = findPowerOfTwoBelow(end - next + 1);
    slices.push(sliceOf(next, width));
    next += width;
  }
  return slices;
}

/**
 * Computes the root over `count` hashes, a power of two, from position `first` on; copies a single hash.
 */
function foldHashes(hashes: Uint8Array, first: number, count: number): Uint8Array {
  if (count === 1) return hashes.slice(first * hashLength, (first + 1) * hashLength);
  const half = count / 2;
  return hashNode(foldHashes(hashes, first, half), foldHashes(hashes, first + half, half));
}

function tileKeyOf({ level, index }: TileId): string {
  return `${level}/${index}`;
}

/**
 * Lists the tiles from which the hashes of the ranges are computed, each once.
 * @param ranges subtrees from `listInclusionRanges` or `listConsistencyRanges`, or `{ start: 0, end: n }`
 *   for the whole tree at any size n ≤ `size`
 * @throws RangeError for a range that is empty, not a subtree or beyond `size`
 */
export function listTiles(ranges: readonly LeafRange[], size: number): TileId[] {
  if (!isCount(size)) throw new RangeError("size out of range");
  const tiles = new Map<string, TileId>();
  for (const range of ranges) {
    if (range.end > size) throw new RangeError("range beyond the tree");
    for (const { level, index } of splitIntoSlices(range)) {
      tiles.set(tileKeyOf({ level, index }), { level, index });
    }
  }
  return [...tiles.values()];
}

/**
 * Lists the tiles at the right edge, highest level first. The root is computed from them, and an append adds to
 * them. A level with a multiple of 256 nodes has no such tile, and neither has an empty tree.
 * @throws RangeError for a size that is not an integer ≥ 0
 */
export function listEdgeTiles(size: number): TileId[] {
  return listTiles(size === 0 ? [] : [{ start: 0, end: size }], size);
}

/** Computes hashes of subtrees from some tiles of a tree. */
export class TileSet {
  readonly #tiles = new Map<string, Tile>();

  /**
   * @param tiles if two have the same level and index, the later one is used
   * @throws RangeError for a tile that does not hold 1 to 256 whole hashes
   */
  constructor(tiles: readonly Tile[]) {
    for (const tile of tiles) {
      const width = tile.hashes.length / hashLength;
      if (!Number.isInteger(width) || width < 1 || width > tileWidth) {
        throw new RangeError(`tile ${tileKeyOf(tile)} does not hold 1 to ${tileWidth} hashes`);
      }
      this.#tiles.set(tileKeyOf(tile), tile);
    }
  }

  /**
   * The hash of a subtree. It is the same at every tree size that has this subtree.
   * @throws MissingTileError if a tile of `listTiles` is missing or too short
   * @throws RangeError for a range that is empty or not a subtree
   */
  hashOf(range: LeafRange): Uint8Array {
    return splitIntoSlices(range)
      .map((slice) => this.#hashOf(slice))
      .reduceRight((right, left) => hashNode(left, right));
  }

  /**
   * The root of the tree at a size.
   * @throws MissingTileError if a tile of `listEdgeTiles(size)` is missing or too short
   * @throws RangeError for a size that is not an integer ≥ 0
   */
  rootOf(size: number): Uint8Array {
    return size === 0 ? hashEmptyTree() : this.hashOf({ start: 0, end: size });
  }

  /** The first `width` hashes of a tile. */
  firstHashesOf(id: TileId, width: number): Uint8Array {
    const tile = this.#tiles.get(tileKeyOf(id));
    if (tile === undefined || tile.hashes.length < width * hashLength) {
      throw new MissingTileError(id);
    }
    return tile.hashes.subarray(0, width * hashLength);
  }

  #hashOf(slice: Slice): Uint8Array {
    const { first, count } = slice;
    return foldHashes(this.firstHashesOf(slice, first + count), first, count);
  }
}

/**
 * Appends leaves to a tree of `size`. Computes about one hash per leaf, and a few hundred per level for the
 * root. Ignores hashes beyond `size` that an interrupted append left in a tile.
 * @param edge the tiles of `listEdgeTiles(size)`
 * @param leaves hashes, 32 bytes each
 * @throws MissingTileError if one of `edge` is missing or too short
 * @throws RangeError for a size, a leaf or a tile of the wrong length
 */
export function appendLeaves(
  edge: readonly Tile[],
  size: number,
  leaves: readonly Uint8Array[],
): AppendResult {
  if (!isCount(size) || !isCount(size + leaves.length)) throw new RangeError("size out of range");
  if (!leaves.every(isHash)) throw new RangeError("not a hash of 32 bytes");
  const before = new TileSet(edge);
  const changed: Tile[] = [];
  let count = size;
  let added = leaves;
  for (let level = 0; added.length > 0; level += 1) {
    const tiles = extendLevel(before, level, count, added);
    changed.push(...tiles);
    added = tiles.filter(isFull).map(({ hashes }) => foldHashes(hashes, 0, tileWidth));
    count = Math.floor(count / tileWidth);
  }
  const newSize = size + leaves.length;
  return { size: newSize, root: new TileSet([...edge, ...changed]).rootOf(newSize), changed };
}

/** Appends nodes to a level of `count` nodes. @returns the tiles that change */
function extendLevel(
  before: TileSet,
  level: number,
  count: number,
  added: readonly Uint8Array[],
): Tile[] {
  const tiles: Tile[] = [];
  let index = Math.floor(count / tileWidth);
  let width = count % tileWidth;
  for (let next = 0; next < added.length; ) {
    const fresh = added.slice(next, next + tileWidth - width);
    const hashes = new Uint8Array((width + fresh.length) * hashLength);
    if (width > 0) hashes.set(before.firstHashesOf({ level, index }, width));
    for (const [offset, hash] of fresh.entries()) hashes.set(hash, (width + offset) * hashLength);
    tiles.push({ level, index, hashes });
    next += fresh.length;
    index += 1;
    width = 0;
  }
  return tiles;
}
