/** Fires the alarm of an object that delivers its outbox. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";

const pollMs = 5;
/** Longer than any delivery takes. */
const maxDeliveryMs = 20_000;

/** Whether the outbox has rows and no alarm is set: the platform has just fired the alarm. */
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
 * Fires the alarm. If the platform is firing it already, this waits until that delivery ends.
 * @returns whether this call fired an alarm
 */
export async function fireObjectAlarm(stub: DurableObjectStub): Promise<boolean> {
  if (await runDurableObjectAlarm(stub)) return true;
  const start = Date.now();
  while ((await isFiring(stub)) && Date.now() - start < maxDeliveryMs) await scheduler.wait(pollMs);
  return false;
}
