/** Whether the objects of a process still run: each holds the file of its store open. */
import { readdirSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** An object leaves after about ten seconds. */
const longestMs = 60_000;
const lookMs = 250;

function openStores(pid: number): number {
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
      // Closed meanwhile.
    }
  }
  return open;
}

/** Waits until no guard and no cell runs. @throws Error when they go on */
export async function untilCold(pids: readonly number[]): Promise<void> {
  for (let waited = 0; waited < longestMs; waited += lookMs) {
    if (pids.every((pid) => openStores(pid) === 0)) return;
    await sleep(lookMs);
  }
  throw new Error("Objects that nobody asks go on running");
}
