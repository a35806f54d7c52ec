/** Holds the deliveries of objects until a test releases them, so that none disturbs a measurement. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { deliveryDelayMs } from "../../src/retry-alarm.ts";

/** Longer than any test run. */
const heldForMs = 24 * 60 * 60 * 1000;

const pollMs = 5;

interface HeldDelivery {
  state: "held" | "released";
}

const heldDeliveries = new Set<HeldDelivery>();
let realWait = scheduler.wait.bind(scheduler);

/** Releases the held deliveries of guards. Resolves when all of them have started. */
export async function sendHeldDeliveries(): Promise<void> {
  for (const one of heldDeliveries) one.state = "released";
  while (heldDeliveries.size > 0) await realWait(pollMs);
}

/**
 * Sets every alarm one day later than requested. Objects still read the requested time, and `fireAlarm`
 * runs the alarm. A wait of the delivery delay lasts until `sendHeldDeliveries`.
 * @returns a function that undoes this
 */
export async function holdDeliveries(): Promise<() => void> {
  const unusedGuard = env.GUARD.get(env.GUARD.idFromName("unused"));
  const storage = await runInDurableObject(
    unusedGuard,
    (_guard, ctx): DurableObjectStorage => Object.getPrototypeOf(ctx.storage),
  );
  const { getAlarm, setAlarm } = storage;
  const wait = scheduler.wait.bind(scheduler);
  realWait = wait;
  const spies = [
    vi.spyOn(storage, "setAlarm").mockImplementation(async function (
      this: DurableObjectStorage,
      at,
      ...options
    ) {
      await setAlarm.call(this, Number(at) + heldForMs, ...options);
    }),
    vi.spyOn(storage, "getAlarm").mockImplementation(async function (
      this: DurableObjectStorage,
      ...options
    ) {
      const at = await getAlarm.apply(this, options);
      return at === null ? null : at - heldForMs;
    }),
    vi.spyOn(scheduler, "wait").mockImplementation(async (ms, ...options) => {
      if (ms !== deliveryDelayMs) return await wait(ms, ...options);
      // This polls, because an object cannot wait for a promise of another request.
      const itself: HeldDelivery = { state: "held" };
      heldDeliveries.add(itself);
      while (itself.state === "held") await wait(pollMs);
      heldDeliveries.delete(itself);
    }),
  ];
  return () => {
    for (const one of heldDeliveries) one.state = "released";
    for (const spy of spies) spy.mockRestore();
  };
}
