/** Holds the deliveries of objects, so that none disturbs a measurement. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";

/** Longer than any test run. */
const heldForMs = 24 * 60 * 60 * 1000;

/**
 * Sets every alarm one day later than requested. Objects still read the requested time, and `fireAlarm`
 * runs the alarm.
 * @returns a function that undoes this
 */
export async function holdDeliveries(): Promise<() => void> {
  const unusedGuard = env.GUARD.get(env.GUARD.idFromName("unused"));
  const storage = await runInDurableObject(
    unusedGuard,
    (_guard, ctx): DurableObjectStorage => Object.getPrototypeOf(ctx.storage),
  );
  const { getAlarm, setAlarm } = storage;
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
  ];
  return () => {
    for (const spy of spies) spy.mockRestore();
  };
}
