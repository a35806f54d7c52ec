/** Finds the shards whose flags change when feeds change (pure). */
import type { Family } from "../network/address.ts";
import { sliceFlags } from "../network/build.ts";
import { combineFeeds, type Feed, type FlagSegment } from "../network/combine-feeds.ts";
import { positionBits, type ShardId, shardBits } from "../network/shard.ts";

export interface ChangedShard {
  readonly id: ShardId;
  /** The new flags, from the start of the shard. */
  readonly flags: readonly FlagSegment[];
}

/** The numbers of the shards in which any segment has a flag, ascending. */
function findFlaggedShards(family: Family, segments: readonly FlagSegment[]): number[] {
  const shift = BigInt(positionBits[family] - shardBits[family]);
  const end = 1n << BigInt(positionBits[family]);
  const numbers: number[] = [];
  for (const [index, { start, flags }] of segments.entries()) {
    if (flags === 0) continue;
    const last = Number(((segments[index + 1]?.start ?? end) - 1n) >> shift);
    for (let number = Number(start >> shift); number <= last; number += 1) {
      if (numbers.at(-1) !== number) numbers.push(number);
    }
  }
  return numbers;
}

function areEqual(left: readonly FlagSegment[], right: readonly FlagSegment[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ start, flags }, index) => {
      const other = right[index];
      return other?.start === start && other.flags === flags;
    })
  );
}

/**
 * The shards whose flags differ after the change, IPv4 first, ascending.
 * @param named the shards of the data set in force
 * @param before undefined: unknown, so every named shard counts as changed
 */
export function findChangedShards(
  named: readonly ShardId[],
  before: readonly Feed[] | undefined,
  after: readonly Feed[],
): ChangedShard[] {
  return ([4, 6] as const).flatMap((family) => {
    const old = before === undefined ? undefined : combineFeeds(family, before);
    const segments = combineFeeds(family, after);
    const candidates = new Set([
      ...(old === undefined
        ? named.filter((shard) => shard.family === family).map(({ number }) => number)
        : findFlaggedShards(family, old)),
      ...findFlaggedShards(family, segments),
    ]);
    return [...candidates]
      .toSorted((left, right) => left - right)
      .flatMap((number): ChangedShard[] => {
        const id = { family, number };
        const flags = sliceFlags(id, segments);
        const isSame = old !== undefined && areEqual(sliceFlags(id, old), flags);
        return isSame ? [] : [{ id, flags }];
      });
  });
}
