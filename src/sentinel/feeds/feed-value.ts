/**
 * The ranges of one feed as a KV value. A refresh of another feed reads them to combine all feeds again.
 * Little-endian:
 *
 *   header, 20 bytes: magic u32 · format version u32 · IPv4 ranges u32 · IPv6 ranges u32 ·
 *                     CRC-32 of all that follows
 *   IPv4: first u32 × n, last u32 × n, count u8 × n
 *   IPv6: first high, first low, last high, last low u32 × n each, count u8 × n
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import crc32 from "crc-32";
import type { Family } from "../network/address.ts";
import { FeedRanges } from "../network/ranges.ts";
import { digestBytes, networkKeyPrefix } from "../network/shard.ts";

/** "EIPF" */
const magic = 0x45495046;
const format = 1;
const headerBytes = 20;
const rangeBytes: Readonly<Record<Family, number>> = { 4: 9, 6: 17 };

export const feedValuePrefix = `${networkKeyPrefix}feed/`;

export function feedValueKeyOf(name: string, digest: string): string {
  return `${feedValuePrefix}${name}/${digest}`;
}

export interface FeedValue {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Digest of the ranges, hex. The key ends in it, so the value of a key never changes. */
  readonly digest: string;
}

export function encodeFeedValue({ byFamily }: FeedRanges): FeedValue {
  const size =
    headerBytes + byFamily[4].length * rangeBytes[4] + byFamily[6].length * rangeBytes[6];
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, format, true);
  view.setUint32(8, byFamily[4].length, true);
  view.setUint32(12, byFamily[6].length, true);
  let at = headerBytes;
  for (const family of [4, 6] as const) {
    const columns = byFamily[family];
    const { firstHigh, firstLow, lastHigh, lastLow, count, length } = columns;
    const columnsOfWords =
      family === 4 ? [firstLow, lastLow] : [firstHigh, firstLow, lastHigh, lastLow];
    for (const column of columnsOfWords) {
      for (let row = 0; row < length; row += 1, at += 4) view.setUint32(at, column[row] ?? 0, true);
    }
    bytes.set(count.subarray(0, length), at);
    at += length;
  }
  const body = bytes.subarray(headerBytes);
  view.setUint32(16, crc32.buf(body) >>> 0, true);
  return { bytes, digest: bytesToHex(sha256(body).subarray(0, digestBytes)) };
}

/** Undefined if the bytes are damaged or incomplete. Never throws. */
export function decodeFeedValue(bytes: Uint8Array): FeedRanges | undefined {
  if (bytes.byteLength < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== format) return undefined;
  const lengths = { 4: view.getUint32(8, true), 6: view.getUint32(12, true) };
  const size = headerBytes + lengths[4] * rangeBytes[4] + lengths[6] * rangeBytes[6];
  if (bytes.byteLength !== size) return undefined;
  const body = bytes.subarray(headerBytes);
  if (view.getUint32(16, true) !== crc32.buf(body) >>> 0) return undefined;
  const ranges = new FeedRanges();
  let at = headerBytes;
  for (const family of [4, 6] as const) {
    const length = lengths[family];
    const word = (column: number, row: number) =>
      BigInt(view.getUint32(at + (column * length + row) * 4, true));
    const counts = at + length * (rangeBytes[family] - 1);
    for (let row = 0; row < length; row += 1) {
      const [first, last] =
        family === 4
          ? [word(0, row), word(1, row)]
          : [(word(0, row) << 32n) | word(1, row), (word(2, row) << 32n) | word(3, row)];
      ranges.byFamily[family].push(first, last, view.getUint8(counts + row));
    }
    at += length * rangeBytes[family];
  }
  return ranges;
}
