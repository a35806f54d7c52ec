/** Alarms that the platform is asked for sooner than the service asks: what is far ahead comes soon. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";

/** Longer than what comes without an alarm takes, also on a slow machine. */
const soonMs = 3_000;

/** Not by a spy: vitest has one of a method at most, and a test may have its own. @returns the way back */
export async function hastenAlarms(): Promise<() => void> {
  const nobody = env.GUARD.get(env.GUARD.idFromName("nobody"));
  const storage = await runInDurableObject(
    nobody,
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
