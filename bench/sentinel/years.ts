/** Runs years in parallel, one per processor. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Order } from "./worker.ts";
import type { Year } from "./year.ts";

function runInThread(order: Order): Promise<Year> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, "worker.ts"), { workerData: order });
    worker.once("message", (year: Year) => resolve(year));
    worker.once("error", reject);
    worker.once("exit", () =>
      reject(new Error(`The thread of seed ${order.seed} ended without a result`)),
    );
  });
}

/** @returns the years, in the order of `orders` */
export async function runYears(
  orders: readonly Order[],
  onYear: (order: Order) => void,
): Promise<Year[]> {
  const years: Year[] = [];
  const waiting = [...orders.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, order] = next;
      years[index] = await runInThread(order);
      onYear(order);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return years;
}
