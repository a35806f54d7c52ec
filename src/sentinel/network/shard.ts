/**
 * A shard: one KV value of network data, with a header and fixed-size records in ascending order of address.
 *
 *   header, 20 bytes: magic u32 · format version u8 · family u8 · 0 u16 · shard number u32 ·
 *                     record count u32 · CRC-32 of all other bytes
 *   IPv4 record, 12 bytes: start u32 · ASN u32 · country u16 · flags u16
 *   IPv6 record, 16 bytes: start u64 (top half of the address) · ASN · country · flags
 *
 * Numbers are big-endian. A record ends at the start of the next one or at the end of the shard, and the
 * first one starts at the first address of the shard, so every address of a shard is in exactly one record.
 * IPv4 is cut into /12 and IPv6 into /20 shards. Of an IPv6 address only the top 64 bits count, because a
 * subscriber has at least a /64.
 *
 * The key of a shard ends in a digest of its records, so the value of a key never changes. A location may
 * cache it for any time, and a lookup never sees a mixture of two data sets.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import crc32 from "crc-32";
import type { Address, Family } from "./address.ts";
import { decodeFacts, type NetworkFacts } from "./network-facts.ts";

export interface ShardId {
  readonly family: Family;
  /** The top 12 (IPv4) or 20 (IPv6) bits of its addresses. */
  readonly number: number;
}

export interface ShardRecord {
  /** IPv4 address, or the top 64 bits of an IPv6 address. */
  readonly start: bigint;
  /** 0 means unknown. */
  readonly asn: number;
  /** Two letters as 16 bits, 0 means unknown. */
  readonly country: number;
  readonly flags: number;
}

export interface Shard extends ShardId {
  readonly records: readonly ShardRecord[];
}

export type ShardAnswer =
  | { readonly status: "found"; readonly facts: NetworkFacts }
  | { readonly status: "nothing" }
  | { readonly status: "corrupt"; readonly reason: string };

export const networkKeyPrefix = "net/v2/";
export const shardFormat = 2;
const shardHeaderBytes = 20;
export const shardBits: Readonly<Record<Family, number>> = { 4: 12, 6: 20 };
/** The number of bits of an address that records distinguish. */
export const positionBits: Readonly<Record<Family, number>> = { 4: 32, 6: 64 };

/** "EIPN" */
const magicBytes = 0x4549504e;
const checksumAt = 16;
const countAt = 12;
/** Bytes of SHA-256 in a key: enough that two versions of a shard have different keys. */
export const digestBytes = 8;
const recordBytes: Readonly<Record<Family, number>> = { 4: 12, 6: 16 };

/** The shard that contains an address. */
export function shardOf(address: Address): ShardId {
  const bits = address.family === 4 ? 32 : 128;
  const shift = BigInt(bits - shardBits[address.family]);
  return { family: address.family, number: Number(address.value >> shift) };
}

/** The KV key: `net/v2/4/001/<digest>`, `net/v2/6/20014/<digest>`, with the shard number in hexadecimal. */
export function shardKeyOf({ family, number }: ShardId, digest: string): string {
  const digits = shardBits[family] / 4;
  return `${networkKeyPrefix}${family}/${number.toString(16).padStart(digits, "0")}/${digest}`;
}

/** Whether the key is that of a shard. */
export function isShardKey(key: string): boolean {
  return key.startsWith(`${networkKeyPrefix}4/`) || key.startsWith(`${networkKeyPrefix}6/`);
}

/** The digest of a shard's records, hex. */
export function shardDigestOf(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes.subarray(shardHeaderBytes)).subarray(0, digestBytes));
}

/** The position of the first address of a shard. */
export function shardStartOf({ family, number }: ShardId): bigint {
  return BigInt(number) << BigInt(positionBits[family] - shardBits[family]);
}

/** Encodes a shard. Its records must ascend, and the first must start where the shard starts. */
export function encodeShard(shard: Shard): Uint8Array<ArrayBuffer> {
  const { family, records } = shard;
  const size = recordBytes[family];
  const bytes = new Uint8Array(shardHeaderBytes + records.length * size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magicBytes);
  view.setUint8(4, shardFormat);
  view.setUint8(5, family);
  view.setUint32(8, shard.number);
  view.setUint32(countAt, records.length);
  let at = shardHeaderBytes;
  for (const record of records) {
    if (family === 4) view.setUint32(at, Number(record.start));
    else view.setBigUint64(at, record.start);
    view.setUint32(at + size - 8, record.asn);
    view.setUint16(at + size - 4, record.country);
    view.setUint16(at + size - 2, record.flags);
    at += size;
  }
  view.setUint32(checksumAt, computeChecksum(bytes));
  return bytes;
}

/** Decodes all records, or gives the reason why the bytes are not this shard. Never throws. */
export function decodeShard(
  bytes: Uint8Array,
  id: ShardId,
): { status: "ok"; shard: Shard } | { status: "corrupt"; reason: string } {
  const opened = openShard(bytes, id);
  if (typeof opened === "string") return { status: "corrupt", reason: opened };
  const { view, count } = opened;
  const size = recordBytes[id.family];
  const records: ShardRecord[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = shardHeaderBytes + index * size;
    records.push({
      start: id.family === 4 ? BigInt(view.getUint32(at)) : view.getBigUint64(at),
      asn: view.getUint32(at + size - 8),
      country: view.getUint16(at + size - 4),
      flags: view.getUint16(at + size - 2),
    });
  }
  return { status: "ok", shard: { ...id, records } };
}

/**
 * Finds the facts of an address by a binary search over the encoded bytes. Never throws: bytes that are not
 * the undamaged shard of this address are "corrupt".
 */
export function lookUpInShard(bytes: Uint8Array, address: Address): ShardAnswer {
  const { family } = address;
  const opened = openShard(bytes, shardOf(address));
  if (typeof opened === "string") return { status: "corrupt", reason: opened };
  const { view, count } = opened;
  const size = recordBytes[family];
  // Two 32-bit halves instead of one bigint, so that a comparison allocates nothing.
  const position = family === 4 ? address.value : address.value >> 64n;
  const high = Number(position >> 32n);
  const low = Number(position & 0xffff_ffffn);
  let below = 0;
  let above = count;
  while (above - below > 1) {
    const middle = (below + above) >>> 1;
    const at = shardHeaderBytes + middle * size;
    const startHigh = family === 4 ? 0 : view.getUint32(at);
    const startLow = view.getUint32(family === 4 ? at : at + 4);
    if (startHigh < high || (startHigh === high && startLow <= low)) below = middle;
    else above = middle;
  }
  const end = shardHeaderBytes + (below + 1) * size;
  const facts = decodeFacts(
    view.getUint32(end - 8),
    view.getUint16(end - 4),
    view.getUint16(end - 2),
  );
  return facts === undefined ? { status: "nothing" } : { status: "found", facts };
}

/** Checks everything that a search relies on. A string is the reason why the bytes are not this shard. */
function openShard(bytes: Uint8Array, id: ShardId): { view: DataView; count: number } | string {
  if (bytes.byteLength < shardHeaderBytes) return "shorter than a header";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== magicBytes) return "not a network shard";
  if (view.getUint8(4) !== shardFormat) return "another format version";
  if (view.getUint8(5) !== id.family || view.getUint32(8) !== id.number) return "another shard";
  const count = view.getUint32(countAt);
  if (count === 0) return "no records";
  if (bytes.byteLength !== shardHeaderBytes + count * recordBytes[id.family]) {
    return "length does not match the record count";
  }
  if (view.getUint32(checksumAt) !== computeChecksum(bytes)) return "checksum does not match";
  const start =
    id.family === 4
      ? BigInt(view.getUint32(shardHeaderBytes))
      : view.getBigUint64(shardHeaderBytes);
  if (start !== shardStartOf(id)) return "first record does not start the shard";
  return { view, count };
}

/** CRC-32 over everything except the checksum itself. */
function computeChecksum(bytes: Uint8Array): number {
  const header = crc32.buf(bytes.subarray(0, checksumAt));
  return crc32.buf(bytes.subarray(shardHeaderBytes), header) >>> 0;
}
