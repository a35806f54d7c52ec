/**
 * `npm run sentinel:import`: builds the network data set from lists and tables, and writes it to local or remote
 * KV. See `--help` and docs/sentinel-data.md.
 */
import { type DataSet, type Published, putInForce } from "../src/sentinel/feeds/data-set.ts";
import type { FeedRecord } from "../src/sentinel/feeds/feed-record.ts";
import { destinationOf } from "../src/sentinel/feeds/refresh-progress.ts";
import { type BuiltShard, buildShards } from "../src/sentinel/network/build.ts";
import { encodeCurrent } from "../src/sentinel/network/current-data-set.ts";
import { buildThreatTable } from "../src/sentinel/network/threats.ts";
import { Failure, runScript } from "./support/failure.ts";
import { figuresOf, formatFigures, type ImportFigures } from "./support/sentinel-figures.ts";
import { readGeography } from "./support/sentinel-geography.ts";
import { helpText, type ImportOptions, parseOptions } from "./support/sentinel-options.ts";
import { readFeeds } from "./support/sentinel-refused.ts";
import { type ImportStore, openLocalStore, openRemoteStore } from "./support/sentinel-store.ts";
import { printLine, showProgress } from "./support/sentinel-terminal.ts";

/** Keys of an earlier format, which no code reads. */
const oldKeyPrefix = "net/v1/";

interface Prepared {
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

/** @param store undefined for a dry run */
async function prepare(
  { feeds: plans, geography: plan }: ImportOptions,
  store: ImportStore | undefined,
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
    current: encodeCurrent({ builtAt, threatsAt }, shards, buildThreatTable(feeds)),
    feedValues: inUse.map(({ record, value }) => ({ name: record.name, ...value })),
    list: { builtAt: now, feeds: records },
  };
  return { dataSet, shards, records, refused };
}

async function openStore({ target }: ImportOptions): Promise<ImportStore> {
  return target.to === "remote"
    ? await openRemoteStore(target.namespaceId)
    : await openLocalStore(target.persistTo);
}

async function storeDataSet(store: ImportStore, dataSet: DataSet, now: number): Promise<Published> {
  const published = await putInForce(store, dataSet, now, Number.POSITIVE_INFINITY, (done, of) =>
    showProgress(`${done} of ${of} shards written`),
  );
  showProgress("");
  const abandoned = [...(await store.list(oldKeyPrefix))];
  if (abandoned.length > 0) await store.remove(abandoned);
  return { ...published, removed: published.removed + abandoned.length };
}

function printFigures(figures: ImportFigures, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(figures)}\n` : formatFigures(figures));
}

async function main(): Promise<number> {
  const startedAt = Date.now();
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(helpText);
    return 0;
  }
  const store = options.dryRun ? undefined : await openStore(options);
  try {
    const prepared = await prepare(options, store, startedAt);
    const builtAt = Date.now();
    const published =
      store === undefined ? undefined : await storeDataSet(store, prepared.dataSet, startedAt);
    const times = { preparedMs: builtAt - startedAt, storedMs: Date.now() - builtAt };
    printFigures(figuresOf(prepared, published, times), options.json);
    return prepared.refused.length === 0 ? 0 : 1;
  } finally {
    await store?.close();
  }
}

await runScript(main);
