/**
 * A Merkle tree kept in tiles of 256 hashes, after the idea of C2SP tlog-tiles (its height 8).
 *
 * Tile (level L, index i) holds the nodes of tree level 8·L from position 256·i on, each the root
 * of 256^L leaves. Only complete nodes are kept, and these never change: a tile is appended to
 * until it holds 256 hashes and is then final. So tiles of a newer tree serve every older size.
 */
import {
  hashEmptyTree,
  hashLength,
  isCount,
  isHash,
  hashNode,
  powerOfTwoBelow,
  type LeafRange,
} from "./merkle.ts";

/** Hashes of a full tile, and leaves under a node one level of tiles up. */
export const tileWidth = 256;

export interface TileId {
  readonly level: number;
  readonly index: number;
}

export interface Tile extends TileId {
  /** 1 to 256 hashes of 32 bytes, one after the other. */
  readonly hashes: Uint8Array;
}

/** What an append leads to. */
export interface AppendResult {
  readonly size: number;
  readonly root: Uint8Array;
  /** The tiles to write, each once with all its hashes, lower levels first. */
  readonly changed: Tile[];
}

/** A tile is not there or holds too few hashes for what was asked. */
export class MissingTileError extends Error {
  readonly tile: TileId;

  constructor({ level, index }: TileId) {
    super(`Tile ${index} of level ${level} is missing or too short`);
    this.name = "MissingTileError";
    this.tile = { level, index };
  }
}

/** `count` hashes of a tile from place `first` on: the parts of one complete subtree. */
interface Slice extends TileId {
  readonly first: number;
  /** A power of two, 1 to 128. */
  readonly count: number;
}

/** Where the hash of a complete subtree of `width` leaves, a power of two, is computed from. */
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
 * The complete subtrees that a subtree is folded from, left to right: each is the largest that
 * still fits, so a subtree cut by the tree's size has one for every bit of its width.
 *
 * @throws RangeError for a range that is empty or not a subtree
 */
function splitIntoSlices({ start, end }: LeafRange): Slice[] {
  if (!isCount(start) || !isCount(end) || start >= end) throw new RangeError("range out of range");
  const cover = end - start === 1 ? 1 : 2 * powerOfTwoBelow(end - start);
  if (start % cover !== 0) throw new RangeError("range is not a subtree");
  const slices: Slice[] = [];
  for (let at = start; at < end; ) {
    const width = powerOfTwoBelow(end - at + 1);
    slices.push(sliceOf(at, width));
    at += width;
  }
  return slices;
}

/** The root over `count` hashes, a power of two, from place `first` on; a copy if it is one hash. */
function foldHashes(hashes: Uint8Array, first: number, count: number): Uint8Array {
  if (count === 1) return hashes.slice(first * hashLength, (first + 1) * hashLength);
  const half = count / 2;
  return hashNode(foldHashes(hashes, first, half), foldHashes(hashes, first + half, half));
}

function tileKeyOf({ level, index }: TileId): string {
  return `${level}/${index}`;
}

/**
 * The tiles that hold what the hash of each range is computed from, each once.
 *
 * @param ranges subtrees as `inclusionRanges` and `consistencyRanges` give them, or `{ 0, n }` for
 *   the whole tree at any size n ≤ `size`
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
 * The partial tiles at the right edge, highest level first: the root is computed from them and an
 * append continues them. A level whose count is a multiple of 256 has none, an empty tree neither.
 *
 * @throws RangeError for a size that is not a whole number ≥ 0
 */
export function listEdgeTiles(size: number): TileId[] {
  return listTiles(size === 0 ? [] : [{ start: 0, end: size }], size);
}

/** Some tiles of a tree, from which hashes of subtrees are computed. */
export class TileSet {
  readonly #tiles = new Map<string, Tile>();

  /**
   * @param tiles of two with the same place the later counts
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
   * The hash of a subtree, in the tree of any size that it is a subtree of.
   *
   * @throws MissingTileError if a tile of `tilesFor` is not there or too short
   * @throws RangeError for a range that is empty or not a subtree
   */
  hashOf(range: LeafRange): Uint8Array {
    return splitIntoSlices(range)
      .map((slice) => this.#hashOf(slice))
      .reduceRight((right, left) => hashNode(left, right));
  }

  /**
   * The root of the tree when it had `size` leaves.
   *
   * @throws MissingTileError if a tile of `edgeTiles(size)` is not there or too short
   * @throws RangeError for a size that is not a whole number ≥ 0
   */
  rootOf(size: number): Uint8Array {
    return size === 0 ? hashEmptyTree() : this.hashOf({ start: 0, end: size });
  }

  /** The first `width` hashes of a tile: what it held when it had no more. */
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
 * Appends leaves to a tree of `size`: about one hash per leaf, and some hundred per level for the
 * root. Hashes that a tile holds beyond `size`, from an append that was cut short, do not count.
 *
 * @param edge the tiles that `edgeTiles(size)` names
 * @param leaves their hashes, 32 bytes each
 * @throws MissingTileError if one of `edge` is not there or too short
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
    added = tiles
      .filter(({ hashes }) => hashes.length === tileWidth * hashLength)
      .map(({ hashes }) => foldHashes(hashes, 0, tileWidth));
    count = Math.floor(count / tileWidth);
  }
  const newSize = size + leaves.length;
  return { size: newSize, root: new TileSet([...edge, ...changed]).rootOf(newSize), changed };
}

/** The tiles of one level that change when `added` follow the `count` nodes it has. */
function extendLevel(
  before: TileSet,
  level: number,
  count: number,
  added: readonly Uint8Array[],
): Tile[] {
  const tiles: Tile[] = [];
  let index = Math.floor(count / tileWidth);
  let kept = count % tileWidth;
  for (let at = 0; at < added.length; ) {
    const fresh = added.slice(at, at + tileWidth - kept);
    const hashes = new Uint8Array((kept + fresh.length) * hashLength);
    if (kept > 0) hashes.set(before.firstHashesOf({ level, index }, kept));
    for (const [place, hash] of fresh.entries()) hashes.set(hash, (kept + place) * hashLength);
    tiles.push({ level, index, hashes });
    at += fresh.length;
    index += 1;
    kept = 0;
  }
  return tiles;
}
