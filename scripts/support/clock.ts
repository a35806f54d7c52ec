/** The clock of the platform: wrangler runs no cron triggers locally, so this does. */
import { setTimeout as sleep } from "node:timers/promises";

const minuteMs = 60_000;
/** The triggers of wrangler.toml, and after how many minutes each comes round. */
const triggers = [
  ["* * * * *", 1],
  ["17 * * * *", 60],
  ["37 * * * *", 60],
] as const;

/** Triggers until the signal ends it. A service that does not answer is asked again a minute later. */
export async function runClock(url: string, signal: AbortSignal): Promise<void> {
  for (let minute = 0; !signal.aborted; minute += 1) {
    for (const [cron, every] of triggers) {
      if (minute % every !== 0) continue;
      const address = `${url}/cdn-cgi/local/scheduled?cron=${encodeURIComponent(cron)}`;
      // The handler goes on after its answer is due; nobody waits for it.
      void fetch(address, { signal }).catch(() => {});
    }
    await sleep(minuteMs, undefined, { signal }).catch(() => {});
  }
}
