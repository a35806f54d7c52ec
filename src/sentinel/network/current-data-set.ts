/**
 * The value `current`, which names the data set in force: it has the digest of every shard, and the table of
 * the lists that change within hours. Writing it puts the next data set in force.
 *
 *   header, 48 bytes: magic u32 · format version u8 · number of times u8 · 0 u16 · CRC-32 of all other bytes · 0 u32 ·
 *                     shards built at f64 · threats listed at f64 (Unix ms; 0: none) ·
 *                     IPv4 shards u32 · IPv6 shards u32 · IPv4 threats u32 · IPv6 threats u32
 *   then for each shard, ascending, IPv4 first: number u32 · digest, 8 bytes
 *   then the table of threats (threats.ts)
 *   then the time of each kind in the order of datedKinds, f64 (Unix ms; 0: the data set has no list of the kind)
 *
 * Data sets of earlier builds state no times of kinds, so every kind counts as one that the data set has, and is as
 * old as its part: the shards or the table of threats. The next refresh or import states the times.
 */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import crc32 from "crc-32";
import { type DatedKind, datedKinds, isFast, type ListTimes } from "./network-facts.ts";
import { findLastUpTo } from "./search.ts";
import { digestBytes, networkKeyPrefix, type ShardId, shardFormat } from "./shard.ts";
import { type buildThreatTable, type ThreatTable, threatTableBytesOf } from "./threats.ts";

export const currentKey = `${networkKeyPrefix}current`;

/** "EIPC" */
const magic = 0x45495043;
const headerBytes = 48;
const timeCountAt = 5;
const checksumAt = 8;
const entryBytes = 4 + digestBytes;
const timeBytes = 8;

export interface NamedShard extends ShardId {
  readonly digest: string;
}

/** A data set, decoded in place: the fields refer to the bytes. */
export interface CurrentDataSet {
  /** When the shards were built, Unix ms. */
  readonly builtAt: number;
  /** When the threats were listed, Unix ms; 0: there are none. */
  readonly threatsAt: number;
  readonly threats: ThreatTable;
  readonly shards: { readonly v4: number; readonly v6: number };
  /** Undefined in a data set of an earlier build. */
  readonly times: { readonly offset: number; readonly count: number } | undefined;
  readonly bytes: Uint8Array;
}

function computeChecksum(bytes: Uint8Array): number {
  const before = crc32.buf(bytes.subarray(0, checksumAt));
  return crc32.buf(bytes.subarray(checksumAt + 4), before) >>> 0;
}

function compareIds(left: ShardId, right: ShardId): number {
  return left.family - right.family || left.number - right.number;
}

/** When the parts of a data set were built, and its lists fetched, Unix ms. */
export interface DataSetTimes {
  readonly builtAt: number;
  readonly threatsAt: number;
  readonly lists: ListTimes;
}

export function encodeCurrent(
  times: DataSetTimes,
  shards: readonly NamedShard[],
  threats: ReturnType<typeof buildThreatTable>,
): Uint8Array<ArrayBuffer> {
  const v4 = shards.filter(({ family }) => family === 4).length;
  const listAt = headerBytes;
  const threatsAt = listAt + shards.length * entryBytes;
  const timesAt = threatsAt + threats.bytes.length;
  const listTimes = datedKinds.map((kind) => times.lists[kind] ?? 0);
  const bytes = new Uint8Array(timesAt + listTimes.length * timeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  view.setUint8(4, shardFormat);
  view.setUint8(timeCountAt, listTimes.length);
  view.setFloat64(16, times.builtAt);
  view.setFloat64(24, times.threatsAt);
  view.setUint32(32, v4);
  view.setUint32(36, shards.length - v4);
  view.setUint32(40, threats.v4);
  view.setUint32(44, threats.v6);
  for (const [index, { number, digest }] of shards.toSorted(compareIds).entries()) {
    const at = listAt + index * entryBytes;
    view.setUint32(at, number);
    bytes.set(hexToBytes(digest), at + 4);
  }
  bytes.set(threats.bytes, threatsAt);
  for (const [index, time] of listTimes.entries()) {
    view.setFloat64(timesAt + index * timeBytes, time);
  }
  view.setUint32(checksumAt, computeChecksum(bytes));
  return bytes;
}

/** Decodes the value; undefined if it is damaged. Never throws. */
export function openCurrent(bytes: Uint8Array): CurrentDataSet | undefined {
  if (bytes.byteLength < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== magic || view.getUint8(4) !== shardFormat) return undefined;
  const shards = { v4: view.getUint32(32), v6: view.getUint32(36) };
  const table = { v4: view.getUint32(40), v6: view.getUint32(44) };
  const offset = headerBytes + (shards.v4 + shards.v6) * entryBytes;
  const count = view.getUint8(timeCountAt);
  const timesAt = offset + threatTableBytesOf(table.v4, table.v6);
  if (bytes.byteLength !== timesAt + count * timeBytes) return undefined;
  if (view.getUint32(checksumAt) !== computeChecksum(bytes)) return undefined;
  return {
    builtAt: view.getFloat64(16),
    threatsAt: view.getFloat64(24),
    threats: { view, offset, ...table },
    shards,
    times: count === 0 ? undefined : { offset: timesAt, count },
    bytes,
  };
}

/** When the newest list of the kind was fetched, Unix ms; 0: the data set has none. */
export function readListTime(
  { times, shards, threats, builtAt, threatsAt }: CurrentDataSet,
  kind: DatedKind,
): number {
  if (times === undefined) {
    const shardsAt = shards.v4 + shards.v6 === 0 ? 0 : builtAt;
    return isFast(kind) ? threatsAt : shardsAt;
  }
  const index = datedKinds.indexOf(kind);
  return index < times.count ? threats.view.getFloat64(times.offset + index * timeBytes) : 0;
}

function readDigest({ bytes }: CurrentDataSet, entry: number): string {
  const at = headerBytes + entry * entryBytes + 4;
  return bytesToHex(bytes.subarray(at, at + digestBytes));
}

/** The digest of a shard in this data set; undefined: the data set has no such shard. */
export function findDigest(
  current: CurrentDataSet,
  { family, number }: ShardId,
): string | undefined {
  const { shards, threats } = current;
  const start = family === 4 ? 0 : shards.v4;
  const count = family === 4 ? shards.v4 : shards.v6;
  const numberAt = (index: number) =>
    threats.view.getUint32(headerBytes + (start + index) * entryBytes);
  const index = findLastUpTo(count, (at) => numberAt(at) > number);
  return index >= 0 && numberAt(index) === number ? readDigest(current, start + index) : undefined;
}

/** Every shard of the data set, IPv4 first, ascending. */
export function listShards(current: CurrentDataSet): NamedShard[] {
  const { shards, threats } = current;
  return Array.from({ length: shards.v4 + shards.v6 }, (_, entry) => ({
    family: entry < shards.v4 ? (4 as const) : (6 as const),
    number: threats.view.getUint32(headerBytes + entry * entryBytes),
    digest: readDigest(current, entry),
  }));
}
