/** Makes distant alarms fire soon. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";

/** Longer than a delivery without an alarm takes, even on a slow machine. */
const soonMs = 3_000;

/**
 * Sets every alarm at most `soonMs` ahead. It uses no spy, because vitest allows one spy per method and a
 * test may need it. @returns a function that undoes this
 */
export async function hastenAlarms(): Promise<() => void> {
  const unusedGuard = env.GUARD.get(env.GUARD.idFromName("unused"));
  const storage = await runInDurableObject(
    unusedGuard,
    (_guard, ctx): DurableObjectStorage => Object.getPrototypeOf(ctx.storage),
  );
  const { setAlarm } = storage;
  const hastened: DurableObjectStorage["setAlarm"] = async function (
    this: DurableObjectStorage,
    at,
    ...options
  ) {
    await setAlarm.call(this, Math.min(Number(at), Date.now() + soonMs), ...options);
  };
  const define = (value: unknown) =>
    Object.defineProperty(storage, "setAlarm", { value, configurable: true, writable: true });
  define(hastened);
  return () => define(setAlarm);
}
