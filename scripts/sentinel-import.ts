/**
 * `npm run sentinel:import`: builds the network data set from lists and tables, and writes it to local or remote
 * KV. See `--help` and docs/sentinel-data.md.
 */

import { showProgress } from "../packages/cli/src/progress.ts";
import { type DataSet, type Published, putInForce } from "../src/sentinel/feeds/data-set.ts";
import { runScript } from "./support/run-script.ts";
import { figuresOf, formatFigures, type ImportFigures } from "./support/sentinel-figures.ts";
import { helpText, type ImportOptions, parseOptions } from "./support/sentinel-options.ts";
import { prepareDataSet, requireNoRemoval } from "./support/sentinel-prepare.ts";
import { type ImportStore, openLocalStore, openRemoteStore } from "./support/sentinel-store.ts";

/** Keys of an earlier format, which no code reads. */
const oldKeyPrefix = "net/v1/";

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
    if (!options.replace) await requireNoRemoval(options, store);
    const prepared = await prepareDataSet(options, store, startedAt);
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
