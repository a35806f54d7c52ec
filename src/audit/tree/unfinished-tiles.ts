/**
 * The unfinished tiles of a tree as text (pure). D1 stores them in the row of the tree head, so that a new head is one
 * row; a tile gets a row of its own when it is full.
 *
 * The text is a JSON array with the hashes of each level in base64, from the lowest level on. The numbers of hashes
 * are the digits of the tree's size to the base 256. So a text of another size is recognised: an older build that
 * extends the tree stores its tiles elsewhere, and leaves the text as it was.
 */
import { base64 } from "@scure/base";
import { z } from "zod";
import { hashLength } from "./merkle.ts";
import { type Tile, type TileId, TileSet, tileWidth } from "./tiles.ts";

const hashesSchema = z.array(z.string());

/** The tile of each level in which the next node goes, from the lowest level on, and how many hashes it has. */
function listUnfinishedTiles(size: number): (TileId & { readonly width: number })[] {
  const tiles = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / tileWidth)) {
    tiles.push({ level, index: Math.floor(count / tileWidth), width: count % tileWidth });
  }
  return tiles;
}

/**
 * @param tiles those of `listEdgeTiles(size)`; they may hold further hashes
 * @throws MissingTileError if one is missing or too short
 */
export function formatUnfinishedTiles(tiles: readonly Tile[], size: number): string {
  const set = new TileSet(tiles);
  const hashes = listUnfinishedTiles(size).map(({ width, ...id }) =>
    width === 0 ? "" : base64.encode(set.firstHashesOf(id, width)),
  );
  return JSON.stringify(hashes);
}

/** @returns the tiles; none if the text was altered, or is of a tree of another size */
export function parseUnfinishedTiles(text: string, size: number): Tile[] {
  try {
    const unfinished = listUnfinishedTiles(size);
    const hashes = hashesSchema.parse(JSON.parse(text)).map((level) => base64.decode(level));
    const isOfSize =
      hashes.length === unfinished.length &&
      unfinished.every(({ width }, level) => hashes[level]?.length === width * hashLength);
    if (!isOfSize) return [];
    return unfinished.flatMap(({ level, index, width }) => {
      const own = hashes[level];
      return own === undefined || width === 0 ? [] : [{ level, index, hashes: own }];
    });
  } catch {
    return [];
  }
}
