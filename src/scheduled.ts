/** What runs by the clock: sealing and the witness every minute, housekeeping every hour. */
import { archiveTrails } from "./audit/archive.ts";
import { sealTrails } from "./audit/seal.ts";
import { witnessHeads } from "./audit/witness.ts";
import { tidyUp } from "./tidy-up.ts";

/** As wrangler.toml has it. */
const sealingCron = "* * * * *";
/** Half of the minute: an event waits half as long as the clock of the platform would have it. */
const betweenPassesMs = 30_000;
const passes = 2;

async function sealAndWitness(env: Env): Promise<void> {
  for (let pass = 1; pass <= passes; pass += 1) {
    await sealTrails(env, Date.now());
    await witnessHeads(env, Date.now());
    if (pass < passes) await scheduler.wait(betweenPassesMs);
  }
}

/** Never throws: what fails is logged, and the next run does it. */
export async function onSchedule(env: Env, cron: string, now: number): Promise<void> {
  if (cron === sealingCron) {
    await sealAndWitness(env);
    return;
  }
  await tidyUp(env, now);
  await archiveTrails(env, now);
}
