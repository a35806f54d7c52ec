/** The figures of an import: counts, sizes and times. */
import type { DataSet, Published } from "../../../../../src/sentinel/feeds/data-set.ts";
import {
  coverageByKind,
  type FeedRecord,
  type KindCoverage,
} from "../../../../../src/sentinel/feeds/feed-record.ts";
import type { BuiltShard } from "../../../../../src/sentinel/network/build.ts";

export interface ImportFigures {
  readonly feeds: number;
  /** The names of the lists that were refused. */
  readonly refused: readonly string[];
  /** Lines with an entry, over all lists and tables. */
  readonly rows: number;
  readonly skippedLines: number;
  readonly coverage: readonly KindCoverage[];
  readonly records: { readonly v4: number; readonly v6: number };
  readonly shards: { readonly v4: number; readonly v6: number };
  readonly shardBytes: number;
  readonly largestShard: { readonly v4: number; readonly v6: number };
  readonly largestFeed: number;
  readonly currentBytes: number;
  /** Null for a dry run. */
  readonly published: Published | null;
  readonly preparedMs: number;
  readonly storedMs: number;
  /** The peak memory of this process in bytes. */
  readonly memoryBytes: number;
}

interface Imported {
  readonly dataSet: DataSet;
  readonly shards: readonly BuiltShard[];
  readonly records: readonly FeedRecord[];
  readonly refused: readonly string[];
}

interface Times {
  readonly preparedMs: number;
  readonly storedMs: number;
}

const bytesPerKilobyte = 1024;

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function largestSize(items: readonly { readonly bytes: Uint8Array }[]): number {
  return items.reduce((most, { bytes }) => Math.max(most, bytes.length), 0);
}

/** @param published undefined for a dry run */
export function figuresOf(
  { dataSet, shards, records, refused }: Imported,
  published: Published | undefined,
  times: Times,
): ImportFigures {
  const v4 = shards.filter(({ family }) => family === 4);
  const v6 = shards.filter(({ family }) => family === 6);
  return {
    feeds: records.length,
    refused,
    rows: sum(records, ({ rows }) => rows),
    skippedLines: sum(records, ({ skippedLines }) => skippedLines),
    coverage: coverageByKind(records),
    records: {
      v4: sum(v4, ({ recordCount }) => recordCount),
      v6: sum(v6, ({ recordCount }) => recordCount),
    },
    shards: { v4: v4.length, v6: v6.length },
    shardBytes: sum(shards, ({ bytes }) => bytes.length),
    largestShard: { v4: largestSize(v4), v6: largestSize(v6) },
    largestFeed: largestSize(dataSet.feedValues),
    currentBytes: dataSet.current.length,
    published: published ?? null,
    ...times,
    memoryBytes: process.resourceUsage().maxRSS * bytesPerKilobyte,
  };
}

function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

/** A line for each kind of network, also for those that no list covers. */
function formatCoverage(coverage: readonly KindCoverage[]): string[] {
  const count = (value: number | null) =>
    value === null ? "an unknown number of" : formatCount(value);
  return coverage.map(({ kind, lists, addresses, networks }, index) => {
    const covered =
      lists === 0
        ? "no list"
        : `${count(addresses)} IPv4 addresses, ${count(networks)} IPv6 networks (/64), ${lists} ${lists === 1 ? "list" : "lists"}`;
    return `${index === 0 ? "Coverage:" : "         "} ${kind}: ${covered}`;
  });
}

function formatOutcome(published: Published | null): string {
  if (published === null) return "none written (dry run)";
  const { written, unchanged, removed } = published;
  return `${formatCount(written)} written, ${formatCount(unchanged)} unchanged; ${formatCount(removed)} old keys removed`;
}

/** Formats the figures as lines of text. */
export function formatFigures(figures: ImportFigures): string {
  const { records, shards, largestShard, published } = figures;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const refused = figures.refused.length === 0 ? [] : [`Refused:  ${figures.refused.join(", ")}`];
  return [
    ...refused,
    `Feeds:    ${figures.feeds}, ${formatCount(figures.rows)} entries, ${formatCount(figures.skippedLines)} lines skipped`,
    ...formatCoverage(figures.coverage),
    `Records:  ${formatCount(records.v4)} IPv4, ${formatCount(records.v6)} IPv6`,
    `Shards:   ${formatCount(shards.v4)} IPv4, ${formatCount(shards.v6)} IPv6, ${formatCount(figures.shardBytes)} bytes: ${formatOutcome(published)}`,
    `Largest:  shard ${formatCount(largestShard.v4)} bytes (IPv4), ${formatCount(largestShard.v6)} (IPv6); feed ${formatCount(figures.largestFeed)}; current ${formatCount(figures.currentBytes)}`,
    `Took:     ${seconds(figures.preparedMs)} to read and build, ${seconds(figures.storedMs)} to write; ${formatCount(Math.round(figures.memoryBytes / 2 ** 20))} MiB`,
    "",
  ].join("\n");
}
