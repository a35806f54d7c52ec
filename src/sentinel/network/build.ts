/**
 * Builds shards from feeds and geography (pure). Three layers (flags, ASN, country) are overlaid into records
 * of equal facts, which are cut at the borders of the shards. Lists that change within hours are not
 * included; threats.ts builds their table.
 */
import type { Family } from "./address.ts";
import { combineFeeds, type Feed, type FlagSegment } from "./combine-feeds.ts";
import { isFast } from "./network-facts.ts";
import { findLastUpTo } from "./search.ts";
import {
  encodeShard,
  positionBits,
  type ShardId,
  type ShardRecord,
  shardBits,
  shardDigestOf,
  shardStartOf,
} from "./shard.ts";
import { resolveOverlaps, type ValueRange, type ValueSegment } from "./value-segments.ts";

/** The networks and countries that addresses belong to. Positions are those of a shard. */
export interface Geography {
  readonly asn: Readonly<Record<Family, readonly ValueRange[]>>;
  /** Two letters as 16 bits. */
  readonly country: Readonly<Record<Family, readonly ValueRange[]>>;
}

export const noGeography: Geography = { asn: { 4: [], 6: [] }, country: { 4: [], 6: [] } };

export interface BuiltShard extends ShardId {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Digest of the records: two shards with equal facts have the same one. */
  readonly digest: string;
  readonly recordCount: number;
}

export function buildShard(id: ShardId, records: readonly ShardRecord[]): BuiltShard {
  const { family, number } = id;
  const bytes = encodeShard({ family, number, records });
  return { family, number, bytes, digest: shardDigestOf(bytes), recordCount: records.length };
}

export function hasFacts({ asn, country, flags }: ShardRecord): boolean {
  return asn !== 0 || country !== 0 || flags !== 0;
}

/** The feeds whose kinds are stored in shards. */
export function slowFeedsOf(feeds: readonly Feed[]): readonly Feed[] {
  return feeds.filter(({ kind }) => !isFast(kind));
}

/** All shards with facts, IPv4 before IPv6, ascending. */
export function buildShards(feeds: readonly Feed[], geography = noGeography): BuiltShard[] {
  const slow = slowFeedsOf(feeds);
  return ([4, 6] as const).flatMap((family) => {
    const end = 1n << BigInt(positionBits[family]);
    return cutIntoShards(
      family,
      overlayLayers(
        combineFeeds(family, slow),
        resolveOverlaps(geography.asn[family], end),
        resolveOverlaps(geography.country[family], end),
      ),
    );
  });
}

/** Overlays the layers. Each begins at position 0. */
function overlayLayers(
  flags: readonly FlagSegment[],
  asns: readonly ValueSegment[],
  countries: readonly ValueSegment[],
): ShardRecord[] {
  const records: ShardRecord[] = [];
  const at = { flags: 0, asn: 0, country: 0 };
  for (;;) {
    const last = records.at(-1);
    const record = {
      start: latestOf(flags[at.flags]?.start, asns[at.asn]?.start, countries[at.country]?.start),
      asn: asns[at.asn]?.value ?? 0,
      country: countries[at.country]?.value ?? 0,
      flags: flags[at.flags]?.flags ?? 0,
    };
    if (last === undefined || !hasSameFacts(last, record)) records.push(record);
    const next = [flags[at.flags + 1], asns[at.asn + 1], countries[at.country + 1]]
      .flatMap((segment) => segment?.start ?? [])
      .reduce<bigint | undefined>(
        (min, start) => (min === undefined || start < min ? start : min),
        undefined,
      );
    if (next === undefined) return records;
    if (flags[at.flags + 1]?.start === next) at.flags += 1;
    if (asns[at.asn + 1]?.start === next) at.asn += 1;
    if (countries[at.country + 1]?.start === next) at.country += 1;
  }
}

function latestOf(...starts: readonly (bigint | undefined)[]): bigint {
  return starts.reduce<bigint>(
    (max, start) => (start !== undefined && start > max ? start : max),
    0n,
  );
}

function hasSameFacts(left: ShardRecord, right: ShardRecord): boolean {
  return left.asn === right.asn && left.country === right.country && left.flags === right.flags;
}

/** Cuts records at the borders of shards and encodes every shard that has facts. */
function cutIntoShards(family: Family, records: readonly ShardRecord[]): BuiltShard[] {
  const shift = BigInt(positionBits[family] - shardBits[family]);
  const end = 1n << BigInt(positionBits[family]);
  const shards: BuiltShard[] = [];
  let number = 0;
  let pending: ShardRecord[] = [];

  function flush(): void {
    if (pending.some(hasFacts)) shards.push(buildShard({ family, number }, pending));
    pending = [];
  }

  function append(shard: number, record: ShardRecord): void {
    if (shard !== number) flush();
    number = shard;
    const border = shardStartOf({ family, number });
    pending.push({ ...record, start: record.start > border ? record.start : border });
  }

  for (const [index, record] of records.entries()) {
    const firstShard = Number(record.start >> shift);
    const lastShard = Number(((records[index + 1]?.start ?? end) - 1n) >> shift);
    append(firstShard, record);
    // Whole shards without facts are skipped: nearly all of IPv6.
    const from = hasFacts(record) ? firstShard + 1 : Math.max(firstShard + 1, lastShard);
    for (let shard = from; shard <= lastShard; shard += 1) append(shard, record);
  }
  flush();
  return shards;
}

/** The part of the segments that is inside a shard, from its start. */
export function sliceFlags(id: ShardId, segments: readonly FlagSegment[]): FlagSegment[] {
  const start = shardStartOf(id);
  const end = start + (1n << BigInt(positionBits[id.family] - shardBits[id.family]));
  const first = findLastUpTo(segments.length, (index) => (segments[index]?.start ?? end) > start);
  const within: FlagSegment[] = [{ start, flags: segments[first]?.flags ?? 0 }];
  for (let index = first + 1; index < segments.length; index += 1) {
    const segment = segments[index];
    if (segment === undefined || segment.start >= end) break;
    within.push(segment);
  }
  return within;
}

/** The records of a shard with new flags. Networks and countries stay. */
export function replaceFlags(
  records: readonly ShardRecord[],
  flags: readonly FlagSegment[],
): ShardRecord[] {
  const values = (of: "asn" | "country") =>
    records.map((record) => ({ start: record.start, value: record[of] }));
  return overlayLayers(flags, values("asn"), values("country"));
}
