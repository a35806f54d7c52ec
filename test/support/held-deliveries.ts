/** Deliveries of objects happen when a test says so, and never by themselves in the middle of a measurement. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { deliveryDelayMs } from "../../src/guard/delivery/retry-alarm.ts";

/** Longer than any run of tests. */
const heldForMs = 24 * 60 * 60 * 1000;

const pollMs = 5;

interface HeldCourier {
  state: "held" | "let go";
}

const heldCouriers = new Set<HeldCourier>();
let realWait = scheduler.wait.bind(scheduler);

/** Couriers of guards that wait set out now. Resolves when they have. */
export async function sendCouriers(): Promise<void> {
  for (const one of heldCouriers) one.state = "let go";
  while (heldCouriers.size > 0) await realWait(pollMs);
}

/**
 * From here on the platform is asked for every alarm a day later, and objects are told the time they
 * asked for: `fireAlarm` runs them. Who waits as long as a courier does waits for `sendCouriers`.
 * @returns the way back
 */
export async function holdDeliveries(): Promise<() => void> {
  const nobody = env.GUARD.get(env.GUARD.idFromName("nobody"));
  const storage = await runInDurableObject(
    nobody,
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
      // Looked at again and again: an object does not wait for a promise that somebody else keeps.
      const itself: HeldCourier = { state: "held" };
      heldCouriers.add(itself);
      while (itself.state === "held") await wait(pollMs);
      heldCouriers.delete(itself);
    }),
  ];
  return () => {
    for (const one of heldCouriers) one.state = "let go";
    for (const spy of spies) spy.mockRestore();
  };
}
