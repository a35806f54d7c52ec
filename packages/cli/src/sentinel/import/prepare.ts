/** Prepares the data set of an import: reads its lists and tables, and builds the shards and the table of threats. */

import type { DataSet, DataStore } from "../../../../../src/sentinel/feeds/data-set.ts";
import {
  type FeedRecord,
  feedListKey,
  listTimesOf,
  parseFeedList,
} from "../../../../../src/sentinel/feeds/feed-record.ts";
import { destinationOf } from "../../../../../src/sentinel/feeds/refresh-progress.ts";
import { type BuiltShard, buildShards } from "../../../../../src/sentinel/network/build.ts";
import { encodeCurrent } from "../../../../../src/sentinel/network/current-data-set.ts";
import { buildThreatTable } from "../../../../../src/sentinel/network/threats.ts";
import { Failure } from "../../failure.ts";
import { printLine } from "../../progress.ts";
import { readGeography } from "./geography.ts";
import type { NetworkPlan } from "./plan.ts";
import { readFeeds } from "./refused.ts";

export interface Prepared {
  readonly dataSet: DataSet;
  readonly shards: readonly BuiltShard[];
  readonly records: readonly FeedRecord[];
  /** The names of the lists that were refused. */
  readonly refused: readonly string[];
}

/** When the newest of the lists was fetched; 0 if none is in use. A refused list keeps its earlier time. */
function newestFetchOf(records: readonly FeedRecord[]): number {
  return Math.max(0, ...records.map(({ fetchedAt }) => fetchedAt));
}

/** The names of the records that an import writes. */
function listNames({ feeds, geography }: NetworkPlan): string[] {
  const { asn, country, packages } = geography;
  const tables = [
    asn.length > 0 || packages !== undefined ? ["asn"] : [],
    country.length > 0 || packages !== undefined ? ["country"] : [],
  ];
  return [...feeds.map(({ name }) => name), ...tables.flat()];
}

/** @throws Failure that names the stored lists and tables that the import does not name */
export async function requireNoRemoval(
  options: NetworkPlan,
  store: Pick<DataStore, "read"> | undefined,
): Promise<void> {
  const bytes = await store?.read(feedListKey);
  const list = bytes === undefined ? undefined : parseFeedList(new TextDecoder().decode(bytes));
  const names = listNames(options);
  const removed = (list?.feeds ?? []).filter(({ name }) => !names.includes(name));
  if (removed.length === 0) return;
  const lines = removed.map(({ name, kind, rows }) => `  ${name} (${kind}, ${rows} rows)`);
  throw new Failure(
    `The import would remove what it does not name:\n${lines.join("\n")}\nName it too, or add --replace. Nothing was written.`,
  );
}

/**
 * Reads everything that the options name, and builds the data set.
 * @param store the data set that the import replaces; undefined for a dry run
 * @throws Failure if nothing can be imported, or the command is at fault
 */
export async function prepareDataSet(
  { feeds: plans, geography: plan }: NetworkPlan,
  store: Pick<DataStore, "read"> | undefined,
  now: number,
): Promise<Prepared> {
  const { geography, records: tables } = await readGeography(plan, now);
  const { inUse, records: lists, refused } = await readFeeds(plans, geography, store, now);
  if (refused.length === plans.length && tables.length === 0) {
    throw new Failure("Every list was refused. Nothing was written.");
  }
  printLine("Building …");
  const feeds = inUse.map(({ feed }) => feed);
  const shards = buildShards(feeds, geography);
  const records = [...lists, ...tables];
  const isThreats = (record: FeedRecord) => destinationOf(record) === "threats";
  const threatsAt = newestFetchOf(records.filter(isThreats));
  const builtAt = newestFetchOf(records.filter((record) => !isThreats(record))) || now;
  const dataSet = {
    shards,
    current: encodeCurrent(
      { builtAt, threatsAt, lists: listTimesOf(records) },
      shards,
      buildThreatTable(feeds),
    ),
    feedValues: inUse.map(({ record, value }) => ({ name: record.name, ...value })),
    list: { builtAt: now, feeds: records },
  };
  return { dataSet, shards, records, refused };
}
