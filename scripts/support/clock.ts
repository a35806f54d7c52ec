/** Runs the cron triggers locally, because wrangler does not. */
import { setTimeout as sleep } from "node:timers/promises";

const minuteMs = 60_000;
/** The triggers of wrangler.toml, with their periods in minutes. */
const triggers = [
  ["* * * * *", 1],
  ["17 * * * *", 60],
  ["37 * * * *", 60],
] as const;

/** Triggers until the signal aborts. A service that does not answer is triggered again a minute later. */
export async function runClock(url: string, signal: AbortSignal): Promise<void> {
  for (let minute = 0; !signal.aborted; minute += 1) {
    for (const [cron, every] of triggers) {
      if (minute % every !== 0) continue;
      const address = `${url}/cdn-cgi/local/scheduled?cron=${encodeURIComponent(cron)}`;
      // The handler may run longer than a minute, so the clock does not wait for it.
      void fetch(address, { signal }).catch(() => {});
    }
    await sleep(minuteMs, undefined, { signal }).catch(() => {});
  }
}
