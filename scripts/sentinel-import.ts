/**
 * `npm run sentinel:import`: builds the network data set from lists and tables, and writes it to local or remote
 * KV. See `--help` and docs/sentinel-data.md.
 */
import { type DataSet, type Published, putInForce } from "../src/sentinel/feeds/data-set.ts";
import type { FeedRecord } from "../src/sentinel/feeds/feed-record.ts";
import { type BuiltShard, buildShards } from "../src/sentinel/network/build.ts";
import { encodeCurrent } from "../src/sentinel/network/current-data-set.ts";
import { isFast } from "../src/sentinel/network/network-facts.ts";
import { buildThreatTable } from "../src/sentinel/network/threats.ts";
import { runScript } from "./support/failure.ts";
import { type ReadFeed, readFeed } from "./support/sentinel-feeds.ts";
import { figuresOf, formatFigures, type ImportFigures } from "./support/sentinel-figures.ts";
import { readGeography } from "./support/sentinel-geography.ts";
import { helpText, type ImportOptions, parseOptions } from "./support/sentinel-options.ts";
import { type ImportStore, openLocalStore, openRemoteStore } from "./support/sentinel-store.ts";
import { printLine, showProgress } from "./support/sentinel-terminal.ts";

/** Keys of an earlier format, which no code reads. */
const oldKeyPrefix = "net/v1/";

interface Prepared {
  readonly dataSet: DataSet;
  readonly shards: readonly BuiltShard[];
  readonly records: readonly FeedRecord[];
}

async function prepare(
  { feeds: plans, geography: plan }: ImportOptions,
  now: number,
): Promise<Prepared> {
  const { geography, records: tables } = await readGeography(plan, now);
  const read: ReadFeed[] = [];
  for (const feed of plans) read.push(await readFeed(feed, geography, now));
  printLine("Building …");
  const feeds = read.map(({ feed }) => feed);
  const shards = buildShards(feeds, geography);
  const threatsAt = feeds.some(({ kind }) => isFast(kind)) ? now : 0;
  const records = [...read.map(({ record }) => record), ...tables];
  const dataSet = {
    shards,
    current: encodeCurrent({ builtAt: now, threatsAt }, shards, buildThreatTable(feeds)),
    feedValues: read.map(({ record, value }) => ({ name: record.name, ...value })),
    list: { builtAt: now, feeds: records },
  };
  return { dataSet, shards, records };
}

async function openStore({ target }: ImportOptions): Promise<ImportStore> {
  return target.to === "remote"
    ? await openRemoteStore(target.namespaceId)
    : await openLocalStore(target.persistTo);
}

async function storeDataSet(
  options: ImportOptions,
  dataSet: DataSet,
  now: number,
): Promise<Published> {
  const target = await openStore(options);
  try {
    const published = await putInForce(target, dataSet, now, Number.POSITIVE_INFINITY, (done, of) =>
      showProgress(`${done} of ${of} shards written`),
    );
    showProgress("");
    const abandoned = [...(await target.list(oldKeyPrefix))];
    if (abandoned.length > 0) await target.remove(abandoned);
    return { ...published, removed: published.removed + abandoned.length };
  } finally {
    await target.close();
  }
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
  const prepared = await prepare(options, startedAt);
  const builtAt = Date.now();
  const published = options.dryRun
    ? undefined
    : await storeDataSet(options, prepared.dataSet, startedAt);
  const times = { preparedMs: builtAt - startedAt, storedMs: Date.now() - builtAt };
  printFigures(figuresOf(prepared, published, times), options.json);
  return 0;
}

await runScript(main);
