/**
 * `edge-idp sentinel import`: builds the network data set from lists and tables, and writes it to local or remote KV.
 * docs/sentinel-data.md describes it.
 */

import {
  type DataSet,
  type Published,
  putInForce,
} from "../../../../../src/sentinel/feeds/data-set.ts";
import { showProgress } from "../../progress.ts";
import { figuresOf, formatFigures, type ImportFigures } from "./figures.ts";
import type { ImportPlan } from "./plan.ts";
import { prepareDataSet, requireNoRemoval } from "./prepare.ts";
import { type ImportStore, openLocalStore, openRemoteStore } from "./store.ts";

/** Keys of an earlier format, which no code reads. */
const oldKeyPrefix = "net/v1/";

async function openStore({ target }: ImportPlan): Promise<ImportStore> {
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

/** Imports, and prints the figures. @returns whether every list was accepted @throws Failure */
export async function runImport(plan: ImportPlan, startedAt: number): Promise<boolean> {
  const store = plan.dryRun ? undefined : await openStore(plan);
  try {
    if (!plan.replace) await requireNoRemoval(plan, store);
    const prepared = await prepareDataSet(plan, store, startedAt);
    const builtAt = Date.now();
    const published =
      store === undefined ? undefined : await storeDataSet(store, prepared.dataSet, startedAt);
    const times = { preparedMs: builtAt - startedAt, storedMs: Date.now() - builtAt };
    printFigures(figuresOf(prepared, published, times), plan.json);
    return prepared.refused.length === 0;
  } finally {
    await store?.close();
  }
}
