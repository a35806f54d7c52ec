/** Waits until the objects of a process have been evicted. A running object holds its store's file open. */
import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** workerd evicts an object after about ten seconds. */
const maxWaitMs = 60_000;
const pollMs = 250;

function countOpenStores(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  let open = 0;
  for (const descriptor of readdirSync(folder)) {
    try {
      if (
        /(IdentityGuard|PrefixWatch|-Cell|-Watch)\/[0-9a-f]+\.sqlite$/.test(
          readlinkSync(`${folder}/${descriptor}`),
        )
      ) {
        open += 1;
      }
    } catch {
      // The file was closed in between.
    }
  }
  return open;
}

/** Waits until no guard and no cell runs. @throws Error after a minute */
export async function waitUntilCold(pids: readonly number[]): Promise<void> {
  for (let waited = 0; waited < maxWaitMs; waited += pollMs) {
    if (pids.every((pid) => countOpenStores(pid) === 0)) return;
    await sleep(pollMs);
  }
  throw new Error("Objects without requests keep running");
}
