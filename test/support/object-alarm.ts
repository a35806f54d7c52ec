/** The alarm of an object that delivers what it holds, fired by a test. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";

const pollMs = 5;
/** Longer than any delivery takes, ms. */
const maxDeliveryMs = 20_000;

/** It holds something and has no alarm that is still to come: the platform has fired it, just now. */
async function isFiring(stub: DurableObjectStub): Promise<boolean> {
  return await runInDurableObject(stub, async (_object, { storage }) => {
    if ((await storage.getAlarm()) !== null) return false;
    const [outbox] = storage.sql
      .exec("SELECT 1 FROM sqlite_master WHERE name = 'outbox'")
      .toArray();
    return outbox !== undefined && storage.sql.exec("SELECT 1 FROM outbox").toArray().length > 0;
  });
}

/**
 * Fires the alarm. Where it is firing by itself already there is none left to fire: then what that
 * delivers is waited for. @returns whether there was one
 */
export async function fireObjectAlarm(stub: DurableObjectStub): Promise<boolean> {
  if (await runDurableObjectAlarm(stub)) return true;
  const start = Date.now();
  while ((await isFiring(stub)) && Date.now() - start < maxDeliveryMs) await scheduler.wait(pollMs);
  return false;
}
