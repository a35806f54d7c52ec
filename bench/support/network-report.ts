/** Formats the figures of the network data. */
import type { ImportFigures } from "../../packages/cli/src/sentinel/import/figures.ts";
import { formatMebibytes, formatSeconds, table, whole } from "./figures.ts";
import { machine, versions } from "./machine.ts";

export interface NetworkFigures {
  readonly countryTable: string;
  readonly imported: ImportFigures;
  /** A second import of the same data. */
  readonly again: ImportFigures;
  readonly checked: {
    readonly addresses: number;
    /** Addresses with any facts. */
    readonly known: number;
    /** Addresses that a list names. */
    readonly listed: number;
    readonly differences: number;
  };
  /** Processor time of lookups without KV, in microseconds. */
  readonly lookup: { readonly median: number; readonly p99: number; readonly largest: number };
}

function formatBoth({ v4, v6 }: { readonly v4: number; readonly v6: number }): string {
  return `${whole(v4)} + ${whole(v6)}`;
}

function formatBytes(value: number): string {
  return `${whole(value)} bytes`;
}

function formatMicroseconds(value: number): string {
  return `${whole(value)} µs`;
}

const rows: readonly (readonly [string, (figures: NetworkFigures) => string])[] = [
  ["lists and tables", ({ imported }) => whole(imported.feeds)],
  ["lines with an entry", ({ imported }) => whole(imported.rows)],
  ["lines skipped", ({ imported }) => whole(imported.skippedLines)],
  ["records, IPv4 + IPv6", ({ imported }) => formatBoth(imported.records)],
  ["shards, IPv4 + IPv6", ({ imported }) => formatBoth(imported.shards)],
  ["all shards", ({ imported }) => formatBytes(imported.shardBytes)],
  ["largest shard, IPv4", ({ imported }) => formatBytes(imported.largestShard.v4)],
  ["largest shard, IPv6", ({ imported }) => formatBytes(imported.largestShard.v6)],
  ["largest list (read by writers only)", ({ imported }) => formatBytes(imported.largestFeed)],
  ["`net/v2/current`", ({ imported }) => formatBytes(imported.currentBytes)],
  ["read and built in", ({ imported }) => formatSeconds(imported.preparedMs)],
  ["written in", ({ imported }) => formatSeconds(imported.storedMs)],
  ["memory of the import", ({ imported }) => formatMebibytes(imported.memoryBytes)],
  ["shards written when imported again", ({ again }) => whole(again.published?.written ?? 0)],
  ["addresses checked", ({ checked }) => whole(checked.addresses)],
  ["addresses with known data", ({ checked }) => whole(checked.known)],
  ["addresses named by a list", ({ checked }) => whole(checked.listed)],
  ["**differences**", ({ checked }) => `**${whole(checked.differences)}**`],
  [
    "processor time of a lookup, median / p99",
    ({ lookup }) => `${formatMicroseconds(lookup.median)} / ${formatMicroseconds(lookup.p99)}`,
  ],
  ["in the largest shard", ({ lookup }) => formatMicroseconds(lookup.largest)],
];

export function formatNetworkReport(figures: readonly NetworkFigures[]): string {
  const head = ["", ...figures.map(({ countryTable }) => `countries from ${countryTable}`)];
  const body = rows.map(([name, of]) => [name, ...figures.map(of)]);
  const date = new Date().toISOString().slice(0, 10);
  return `${table(head, body)}\n\n${date}, ${machine()}; ${versions()}.\n`;
}
