/** A `DataStore` on a KV namespace. */
import type { DataStore } from "./data-set.ts";

/** A Worker may have this many open connections; more would wait. */
const workerConnections = 6;

/** Runs the work for every item, a few at a time. @throws the first failure, after all have ended */
async function forEach<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const item of left) await work(item);
  });
  const ended = await Promise.allSettled(workers);
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

/** @param atOnce how many keys are written or deleted at the same time */
export function dataStoreOf(namespace: KVNamespace, atOnce = workerConnections): DataStore {
  return {
    async list(prefix) {
      const keys = new Set<string>();
      let cursor: string | undefined;
      do {
        const page: KVNamespaceListResult<unknown> = await namespace.list(
          cursor === undefined ? { prefix } : { prefix, cursor },
        );
        for (const { name } of page.keys) keys.add(name);
        cursor = page.list_complete ? undefined : page.cursor;
      } while (cursor !== undefined);
      return keys;
    },
    async read(key) {
      const value = await namespace.get(key, "arrayBuffer");
      return value === null ? undefined : new Uint8Array(value);
    },
    async write(values, onProgress) {
      let done = 0;
      await forEach(values, atOnce, async ({ key, bytes }) => {
        await namespace.put(key, bytes);
        done += 1;
        onProgress(done);
      });
    },
    async remove(keys) {
      await forEach(keys, atOnce, (key) => namespace.delete(key));
    },
  };
}
