/** Fires the alarm of an object that delivers its outbox. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { countUndeliveredIn } from "./undelivered.ts";

const pollMs = 5;
/** Longer than any delivery takes. */
const maxDeliveryMs = 20_000;

/** Whether something waits for delivery and no alarm is set: the platform has just fired the alarm. */
async function isFiring(stub: DurableObjectStub): Promise<boolean> {
  const alarm = await runInDurableObject(stub, (_object, { storage }) => storage.getAlarm());
  return alarm === null && (await countUndeliveredIn(stub)) > 0;
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
