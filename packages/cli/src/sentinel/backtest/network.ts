/** Network data of a backtest: built as an import builds it, and looked up as the service does, from memory. */
import type { DataStore } from "../../../../../src/sentinel/feeds/data-set.ts";
import { putInForce } from "../../../../../src/sentinel/feeds/data-set.ts";
import { lookupNetwork, type NetworkStore } from "../../../../../src/sentinel/network/lookup.ts";
import type { NetworkPlan } from "../import/plan.ts";
import { prepareDataSet } from "../import/prepare.ts";
import type { FindNetwork } from "./replay.ts";

/** KV in memory. */
class MemoryStore implements DataStore, NetworkStore {
  readonly #values = new Map<string, Uint8Array>();

  async list(prefix: string): Promise<Set<string>> {
    return new Set([...this.#values.keys()].filter((key) => key.startsWith(prefix)));
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.#values.get(key);
  }

  async write(values: Parameters<DataStore["write"]>[0]): Promise<void> {
    for (const { key, bytes } of values) this.#values.set(key, bytes);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#values.delete(key);
  }

  async get(key: string): Promise<ArrayBuffer | null> {
    const bytes = this.#values.get(key);
    return bytes === undefined ? null : new Uint8Array(bytes).buffer;
  }
}

/** @param plan undefined: no network data, so nothing is known of any address @throws Failure */
export async function openNetwork(
  plan: NetworkPlan | undefined,
  now: number,
): Promise<FindNetwork> {
  const store = new MemoryStore();
  if (plan !== undefined) {
    const { dataSet } = await prepareDataSet(plan, undefined, now);
    await putInForce(store, dataSet, now, Number.POSITIVE_INFINITY, () => {});
  }
  return async (address) => {
    const { facts, degraded } = await lookupNetwork(store, address, now);
    return { facts, degraded };
  };
}
